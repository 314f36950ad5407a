"""The screen: Textual widgets over `pix_inspect.session`, one module per thing you can see."""
