"""From a statement in Redshift's SQL to what the embedded Postgres runs.

The text is never translated as a whole: it is cut into tokens, and only the places that are known to differ are
replaced, each by its own rule. Whatever has no rule reaches Postgres as it was written, and is refused there when
Postgres does not know it; what Postgres knows and Redshift does not is refused by name before.
"""
