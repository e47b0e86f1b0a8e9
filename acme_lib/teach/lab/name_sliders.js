// A slider of ipywidgets has a label beside it and no name for a screen reader, and says a rounded number. Both are
// taken from what the page shows. It runs where the picture that holds it fails to load: as soon as the box is there.
const name = () => this.closest('.acme-live')?.querySelectorAll('.widget-slider').forEach(slider => {
  const handle = slider.querySelector('.noUi-handle'), readout = slider.querySelector('.widget-readout');
  if (!handle || handle.hasAttribute('aria-label')) return;
  handle.setAttribute('aria-label', slider.querySelector('.widget-label')?.textContent ?? '');
  const say = () => {
    if (handle.getAttribute('aria-valuetext') !== readout.textContent) {
      handle.setAttribute('aria-valuetext', readout.textContent);
    }
  };
  new MutationObserver(say).observe(slider, {subtree: true, childList: true, characterData: true, attributes: true});
  say();
});
name();
[100, 500, 2000].forEach(milliseconds => setTimeout(name, milliseconds));
