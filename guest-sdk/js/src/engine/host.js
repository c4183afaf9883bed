// What the base component does for the SDK. It is taken away from where scripts could find it.

export const host = Object.freeze(globalThis.__chancery_host);

delete globalThis.__chancery_host;
