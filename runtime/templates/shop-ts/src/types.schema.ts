// Made of src/types.ts by chancery. Edit that file; this one is made again when it changes.
// {"form":1,"sources":["src/types.ts"],"sha256":"d9db5f09afb80865656a0306636081f8b3db668f375d465d804c9607b7b990a7"}

import type * as types from "./types.js";

/** Puts a product on sale, or more of one that is. */
export type AddProduct = types.AddProduct;
export const AddProduct = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "product": {
      "type": "string",
      "description": "The product's code, such as `lamp`.",
      "minLength": 1,
      "maxLength": 100
    },
    "name": {
      "type": "string",
      "description": "What people call it."
    },
    "quantity": {
      "type": "integer",
      "description": "How many there are to add.",
      "minimum": 0,
      "maximum": 1000000000
    }
  },
  "required": [
    "product",
    "name",
    "quantity"
  ],
  "description": "Puts a product on sale, or more of one that is."
};

/** Buys one of a product. */
export type BuyProduct = types.BuyProduct;
export const BuyProduct = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "buyer": {
      "type": "string",
      "description": "Who buys it."
    }
  },
  "required": [
    "product"
  ],
  "description": "Buys one of a product."
};

/** What is asked about a product. */
export type Of = types.Of;
export const Of = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "product": {
      "type": "string",
      "description": "The product's code."
    }
  },
  "required": [
    "product"
  ],
  "description": "What is asked about a product."
};

/** Somebody bought one of a product. */
export type OrderPlaced = types.OrderPlaced;
export const OrderPlaced = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "buyer": {
      "type": [
        "string",
        "null"
      ],
      "description": "Who bought it, if they said so."
    }
  },
  "required": [
    "product",
    "buyer"
  ],
  "description": "Somebody bought one of a product."
};
