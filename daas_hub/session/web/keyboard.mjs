// Typing on a phone: a canvas opens no keyboard, so a hidden text field takes the input and forwards it.

const KEYS = { Enter: [0xff0d, "Enter"], Backspace: [0xff08, "Backspace"] };
const FILLING = "_".repeat(16); // text to delete: an empty field reports no backspace key

function keysymOf(character) {
  const point = character.codePointAt(0);
  return point < 0x100 ? point : 0x01000000 + point;
}

export function offerKeyboard(current) {
  const tool = document.getElementById("keyboard-tool");
  const field = document.getElementById("keys");
  if (!matchMedia("(pointer: coarse)").matches) return;
  tool.hidden = false;

  function refill() {
    field.value = FILLING;
    field.setSelectionRange(FILLING.length, FILLING.length);
  }

  tool.addEventListener("click", () => {
    refill();
    field.focus();
  });

  field.addEventListener("input", (event) => {
    const connection = current();
    if (!connection || event.isComposing) return;
    if (event.inputType === "deleteContentBackward") connection.sendKey(...KEYS.Backspace);
    else if (event.inputType === "insertLineBreak") connection.sendKey(...KEYS.Enter);
    else sendText(connection, field.value.slice(FILLING.length));
    refill();
  });

  // Composed input (swiping, Chinese, ...) arrives at the end of its composition.
  field.addEventListener("compositionend", (event) => {
    if (current()) sendText(current(), event.data);
    refill();
  });
}

function sendText(connection, text) {
  for (const character of text) {
    if (character === "\n") connection.sendKey(...KEYS.Enter);
    else connection.sendKey(keysymOf(character), null);
  }
}
