"""The record of releases, and the directory that holds their files."""
