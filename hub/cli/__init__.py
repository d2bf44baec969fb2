"""The command ``mmhub``: one file per group of verbs, each verb a few lines that call a service.

Only typer and the standard library are imported at the top of these files; each verb imports what it needs, so that
``mmhub --help`` is quick.
"""
