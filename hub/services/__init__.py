"""What happens, in the words of the field."""
