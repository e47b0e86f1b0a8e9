"""How the server reads and writes notebooks (`jupyter_lab_config.py` names what stands here)."""

import platform

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

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


class CourseContents(AsyncLargeFileManager):
    """Files as ever; a notebook comes with the version of Python that runs here.

    JupyterLab writes the version of the kernel into each notebook that it opens. Where that differs from the stored one
    the notebook would count as changed before anybody has touched it, ask to be saved, and differ from the course's.
    """

    async def get(self, path, content=True, **options):
        """Return a file, or the contents of a folder."""
        model = await super().get(path, content=content, **options)
        if model.get("type") == "notebook" and model.get("content"):
            language = model["content"]["metadata"].get("language_info", {})
            if language.get("name") == "python" and "version" in language:
                language["version"] = platform.python_version()
        return model
