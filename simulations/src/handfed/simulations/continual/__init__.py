"""Learning on, step after step: how much of what came before is still known, by how it was learnt.

`methods` says how each way of learning goes about a step, `handwriting` what comes when and who has it, `sequence` runs
them, `findings` says what came of it; `page`, `charts` and `table` show it.
"""
