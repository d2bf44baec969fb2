"""The state database: tables, and one module of functions for each subject."""
