"""Values as text, HTML and JSON: their base, markup, numbers, marks, the workflow graph."""
