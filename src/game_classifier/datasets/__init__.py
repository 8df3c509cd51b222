"""Making a data set: splits, lists, imports."""
