"""What pages say in other languages than English: one text file of sentences per language."""
