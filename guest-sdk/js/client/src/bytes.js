/**
 * Results that are bytes, which JSON can only hold as text.
 *
 * @module
 */

/** The bytes that a text stands for. */
export function ofBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
