"""A widget that leaves its picture behind, for the day when its kernel is gone.

A stored widget is a name of a model that lives in a kernel; without the kernel a notebook shows an error in its place.
What is displayed here are therefore two outputs: first the widget as it stands, in plain HTML (the *still*), then the
widget. The still carries a style sheet that hides it while the widget beside it is alive, and hides the widget when it
is not: stored, without a kernel, or after a restart. Readers that keep no style sheet (a notebook that is not trusted)
run no widget either. `acme build` stores the still alone.
"""

import asyncio

import ipywidgets

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDTH = "840px"
# Shown where a kernel was restarted under a widget, which would otherwise move and do nothing.
_RESTARTED = (
    '<p class="acme-restarted" style="display: none"><strong>The kernel was restarted:</strong> choose '
    "<em>Run → Run All Above Selected Cell</em>, then run this cell.</p>"
)
BUTTON = {"width": "max-content", "align_self": "flex-start"}
_REST = 0.4  # seconds without a change after which the still follows the widget
_LIVE = ".acme-live:not(.jupyter-widgets-disconnected)"
_STILL = ".jp-OutputArea-child:has(.acme-still)"
# The font of widgets follows that of the text, also where Presentation Mode makes it large.
STYLE = f"""<style>
.jp-OutputArea:has({_LIVE}) > {_STILL},
.jp-OutputArea:not(:has({_LIVE})) > {_STILL} + .jp-OutputArea-child:has(.jupyter-widgets) {{ display: none }}
.jp-OutputArea:has(.jupyter-widgets-disconnected) .acme-restarted {{ display: block !important }}
.acme-live {{ --jp-widgets-font-size: var(--jp-content-font-size1); overflow-x: auto;
  --jp-widgets-inline-height: calc(2 * var(--jp-content-font-size1)) }}
.acme-live .widget-html-content {{ line-height: 1.5 }}
</style>"""


class LivingBox(ipywidgets.VBox):
    """A box of widgets that is displayed with its still; a subclass gives `still_html` and `still_text`."""

    def __init__(self, children):
        super().__init__(children)
        self.add_class("acme-live")
        self._timer = self._handle = None

    def still(self):
        """Return what is stored of the box: its MIME bundle of HTML and text."""
        return {
            "text/html": f'{STYLE}<div class="acme-still">{self.still_html()}{_RESTARTED}</div>',
            "text/plain": self.still_text(),
        }

    def _ipython_display_(self, **kwargs):
        from IPython.display import display

        display_id = self._handle.display_id if self._handle else True
        self._handle = display(self.still(), raw=True, display_id=display_id)
        view = {"model_id": self.model_id, "version_major": 2, "version_minor": 0}
        display({WIDGET: view}, raw=True)

    def _renew_still(self):
        """Let the still follow, as soon as the widget has come to rest."""
        if self._handle is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._timer = asyncio.get_running_loop().call_later(_REST, self._publish_still)
        except RuntimeError:  # no event loop: this is no notebook
            self._publish_still()

    def _publish_still(self):
        self._timer = None
        self._handle.update(self.still(), raw=True)
