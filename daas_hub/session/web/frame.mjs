// Reports the first painted frame. noVNC has no event for it, so its painting is observed: it copies every complete
// update to the visible canvas with drawImage().

const LOOK_EVERY_MS = 15;
const ACCEPT_BLACK_MS = 8000; // a desktop may be black on purpose

export function whenPainted(canvas, report) {
  const context = canvas.getContext("2d"); // the one noVNC paints with: a canvas has only one
  const sample = document.createElement("canvas");
  sample.width = 48;
  sample.height = 32;
  const pixels = sample.getContext("2d", { willReadFrequently: true });
  let began = 0;
  let timer = 0;

  function hasPicture() {
    pixels.drawImage(canvas, 0, 0, sample.width, sample.height);
    const { data } = pixels.getImageData(0, 0, sample.width, sample.height);
    return data.some((value, index) => index % 4 !== 3 && value > 8);
  }

  function look() {
    timer = 0;
    if (!canvas.isConnected || canvas.width === 0) return;
    if (performance.now() - began < ACCEPT_BLACK_MS && !hasPicture()) {
      timer = setTimeout(look, 200); // no further update may come: look again
      return;
    }
    delete context.drawImage; // restore the browser's own
    report(performance.now());
  }

  context.drawImage = (...what) => {
    CanvasRenderingContext2D.prototype.drawImage.apply(context, what);
    began ||= performance.now();
    clearTimeout(timer);
    timer = setTimeout(look, LOOK_EVERY_MS);
  };
}
