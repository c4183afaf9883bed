// Bytes in JSON: `{"$bytes": "<base64>"}`, as pages of a scan have them.

const { fromCharCode } = String;

/** The bytes of base64. */
export function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < bytes.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}

/** Base64 of bytes. */
export function toBase64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += fromCharCode(byte);
  return btoa(binary);
}
