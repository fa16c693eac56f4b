"""biostar: landing files to star schemas in Amazon Redshift, with the same models, loads and tests on DuckDB."""
