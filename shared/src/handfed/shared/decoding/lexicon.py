"""A language model of the words that are allowed.

Rules:
1. A text is made of words and of classes that are free: those whose name has no letter (digits, punctuation, space).
   Free classes stand anywhere but inside a word; inside a word stand only those that the word has ("don't").
2. Between two words stands at least one free class.
3. A word outside the lexicon costs `unknown` nats, once; minus infinity, and there is none.
4. Words are told apart by case. `cased` adds how a word is written at the start of a sentence and in capitals.
5. A word with a character that the alphabet lacks cannot be read, and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from handfed.shared.alphabet import Alphabet

_ROOT: Final = 0  # between words
_UNKNOWN: Final = -1  # in a word that is not of the lexicon
_KEPT: Final = 4096  # answers

State = tuple[int, ...]  # where in the trie the text may be, in order: an apostrophe may end a word or be inside one


class Lexicon:
    """Words as a trie, walked along as a `LanguageModel`.

    Args:
        words: The words; where there are none, texts of free classes alone are allowed.
        alphabet: The recogniser's classes.
        unknown: Nats, 0 or less: the score of a word outside.
    """

    def __init__(self, words: Iterable[str], alphabet: Alphabet, *, unknown: float = -np.inf) -> None:
        self._unknown = unknown
        self._classes = len(alphabet)
        self._free = {label for label, name in enumerate(alphabet.names) if not any(map(str.isalpha, name))}
        self._children: list[dict[int, int]] = [{}]
        self._whole = [True]  # whether a text may end here
        labels = {name: label for label, name in enumerate(alphabet.names)}
        for word in words:
            spelled = alphabet.tokenise(word)
            if labels.keys() >= set(spelled):
                self._add([labels[name] for name in spelled])
        self.scores = lru_cache(maxsize=_KEPT)(self._scores)

    def _add(self, word: list[int]) -> None:
        node = _ROOT
        for label in word:
            if label not in self._children[node]:
                self._children[node][label] = len(self._children)
                self._children.append({})
                self._whole.append(False)
            node = self._children[node][label]
        self._whole[node] = True

    def start(self) -> State:
        """Before the first word."""
        return (_ROOT,)

    def _scores(self, state: State) -> NDArray[np.float64]:
        """float64 (classes,): 0 of what goes on with a word or ends one, `unknown` of what leaves the lexicon."""
        if _UNKNOWN in state:
            return np.zeros(self._classes)
        allowed = {label for node in state for label in self._children[node]}
        if self._may_end(state):
            allowed |= self._free
        scores = np.full(self._classes, self._unknown)
        scores[list(allowed)] = 0.0
        return scores

    def after(self, state: State, label: int) -> State:
        """The state after one more class."""
        nodes = {self._children[node].get(label) for node in state if node != _UNKNOWN}
        if label in self._free and (self._may_end(state) or nodes <= {None}):
            nodes |= {_ROOT, self._children[_ROOT].get(label)}
        return tuple(sorted(node for node in nodes if node is not None)) or (_UNKNOWN,)

    def end(self, state: State) -> float:
        """0 after a whole word, else `unknown`."""
        return 0.0 if self._may_end(state) else self._unknown

    def _may_end(self, state: State) -> bool:
        return any(node == _UNKNOWN or self._whole[node] for node in state)


def cased(words: Iterable[str]) -> set[str]:
    """The words, and each with a capital first letter and all in capitals."""
    return {form for word in words for form in (word, word[:1].upper() + word[1:], word.upper())}
