import { connect } from "chancery-client";
import type { App } from "./shop.js";

const app = connect<App>("http://127.0.0.1:7070");
const { result } = await app.query("stock-of", { product: "lamp" });
result.left; // a number; `stok-of` and { product: 7 } do not compile
