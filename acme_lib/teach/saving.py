"""What the server does with a notebook before it writes it to disk (`jupyter_lab_config.py` names it)."""

_WIDGET = "application/vnd.jupyter.widget-view+json"


def drop_widgets(model=None, **where):
    """Leave out of a notebook the widgets that have a still before them: they do not outlive their kernel.

    Parameters
    ----------
    model : dict
        What the contents manager is about to save; changed in place.
    **where
        Path and contents manager, which are not needed.
    """
    if not model or model.get("type") != "notebook" or not model.get("content"):
        return
    content = model["content"]
    content.get("metadata", {}).pop("widgets", None)
    for cell in content.get("cells", []):
        outputs = cell.get("outputs", [])
        stills = ["acme-still" in "".join(output.get("data", {}).get("text/html", "")) for output in outputs]
        kept = [
            output
            for output, still in zip(outputs, [False, *stills], strict=False)
            if not (still and set(output.get("data", {})) == {_WIDGET})
        ]
        if len(kept) < len(outputs):
            cell["outputs"] = kept
