"""Every alert's slim row on disk: appended, merged, compacted, searched backwards."""
