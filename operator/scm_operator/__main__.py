"""``python -m scm_operator``."""

from scm_operator import app

app.main()
