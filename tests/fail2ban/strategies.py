"""What hypothesis makes: all that a reply can say."""

from typing import Any

from hypothesis import strategies as st


def texts() -> st.SearchStrategy[str]:
    """Any text, lone surrogates too, now and then too long for a short string."""
    characters = st.integers(0, 0x10FFFF).map(chr)
    return st.text(characters, max_size=20) | st.text(characters, min_size=1, max_size=2).map(lambda text: text * 200)


def values() -> st.SearchStrategy[Any]:
    """What the opcodes of fail2ban's replies can say."""
    scalars = st.none() | st.booleans() | st.integers() | st.integers(-(2**2039), 2**2039 - 1) | st.floats() | texts()
    return st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=6)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(texts(), inner, max_size=5)
            | inner.map(lambda value: [value, value])
        ),
        max_leaves=30,
    )
