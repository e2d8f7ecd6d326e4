// Runs at the start of every page of a measured launch and tells, on the console and on the machine's clock,
// when the page began, when something was clicked, and when a desktop's canvas first held a pixel that is not black.
(() => {
  const tell = (what) => console.debug(`bench ${Date.now()} ${what}`);
  tell(`page ${location.pathname}`);
  addEventListener("click", () => tell("click"), { capture: true });

  const isLit = (canvas) => {
    if (canvas.width < 300 || canvas.height < 200) return false;
    const middle = canvas.getContext("2d").getImageData(0, canvas.height >> 1, canvas.width, 1).data;
    return middle.some((value, place) => place % 4 !== 3 && value !== 0);
  };
  const look = () => {
    if ([...document.querySelectorAll("canvas")].some(isLit)) tell("frame");
    else requestAnimationFrame(look);
  };
  // A page without a canvas is only listened to: looking at every frame of it would slow what is measured.
  const listener = new MutationObserver(() => {
    if (!document.querySelector("canvas")) return;
    listener.disconnect();
    requestAnimationFrame(look);
  });
  listener.observe(document, { childList: true, subtree: true });
})();
