"""A sweep as one HTML page: a file a section, its figures as functions from data to plotly figures."""
