"""Sphinx settings: MyST pages, nothing fetched while building."""

from hub.version import VERSION

project = "multimessenger hub"
author = "The multimessenger hub developers"
version = release = VERSION
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "Matches alerts with messengers", "fixed_sidebar": True}
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
