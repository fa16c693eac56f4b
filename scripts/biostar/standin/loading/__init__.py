"""COPY from S3: the statement, the objects, the records in them, and what is wrong with a value."""
