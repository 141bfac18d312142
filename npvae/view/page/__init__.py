"""The explorer: a trained AE and a trained VAE in one HTML file that needs nothing but a browser.

`export.write_explorer` puts the file together: ``page.html`` with ``style.css``, the JavaScript files that
`export.SCRIPTS` names, and what `contents.explorer_contents` takes from the models and the data, packed by
`packing.ArrayPacker`.
"""
