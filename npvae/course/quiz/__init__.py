"""A quiz: wrong gradients, and right ones that look wrong.

`network` is a small VAE whose pieces can be exchanged, `item` what a question is, `items` the questions,
`measure` what the checker says and what training does with each of them.
"""
