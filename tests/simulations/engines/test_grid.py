"""The grid of every engine carries messages in order, and turns what a device raises into an error message."""

from __future__ import annotations

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from handfed.simulations.engines import Workers
from handfed.simulations.engines.grid import LocalGrid, identify
from handfed.simulations.engines.in_process import answer, run


def counting_app() -> ClientApp:
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        if context.node_config["partition-id"] == 2:
            raise RuntimeError("the third device is broken")
        seen = context.state.metric_records.setdefault("seen", MetricRecord({"count": 0}))
        seen["count"] = int(str(seen["count"])) + 1
        metrics = MetricRecord({"count": seen["count"], "of": int(context.node_config["num-partitions"])})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    return app


def run_server(main: object, told: list[tuple[str, int, int]] | None = None) -> None:
    app = ServerApp()
    app.main()(main)  # type: ignore[arg-type]
    run(
        app,
        counting_app,
        devices=4,
        run_config={"rounds": 3},
        progress=lambda kind, done, asked: (told if told is not None else []).append((kind, done, asked)),
        workers=Workers(),
    )


def messages() -> list[Message]:
    return [Message(RecordDict(), dst_node_id=node, message_type="query") for node in (1, 2, 3, 4)]


def test_devices_answer_in_order_keep_their_state_and_fail_alone() -> None:
    replies: list[Message] = []
    told: list[tuple[str, int, int]] = []

    def main(grid: Grid, context: Context) -> None:
        assert context.run_config == {"rounds": 3}
        assert list(grid.get_node_ids()) == [1, 2, 3, 4]
        grid.send_and_receive(messages())
        replies.extend(grid.send_and_receive(messages(), timeout=5))

    run_server(main, told)
    assert [reply.metadata.src_node_id for reply in replies] == [1, 2, 3, 4]
    assert [reply.has_error() for reply in replies] == [False, False, True, False]
    assert [dict(r.content.metric_records["metrics"]) for r in replies if not r.has_error()] == [
        {"count": 2, "of": 4}
    ] * 3
    assert told[:4] == [("query", 1, 4), ("query", 2, 4), ("query", 3, 4), ("query", 4, 4)]


def test_pushed_messages_are_pulled_once() -> None:
    def main(grid: Grid, _: Context) -> None:
        ids = list(grid.push_messages(messages()[:2]))
        assert len(list(grid.pull_messages(ids))) == 2
        assert list(grid.pull_messages(ids)) == []

    run_server(main)


def test_a_reply_that_is_pulled_names_the_message_it_answers() -> None:
    def main(grid: Grid, _: Context) -> None:
        ids = set(grid.push_messages(messages()))
        assert {reply.metadata.reply_to_message_id for reply in grid.pull_messages(ids)} == ids

    run_server(main)


def test_only_a_device_that_keeps_something_costs_memory() -> None:
    identify()
    app = counting_app()
    grid = LocalGrid(lambda questions: (answer(app, each) for each in questions), 1_000_000, lambda *_: None)
    grid.send_and_receive(messages())
    assert sorted(grid._states) == [1, 2, 4]  # the third is broken
