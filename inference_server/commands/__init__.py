"""Commands of the command line that have arguments enough for a file of their own."""
