// Made of src/types.ts by chancery. Edit that file; this one is made again when it changes.
// {"form":1,"sources":["src/types.ts"],"sha256":"e54c4f93d3fd9d3842fcc8401fd045e042056d6fd1c4555355cd05095e4685b9"}

import type * as types from "./types.js";

/** How an order is paid: at once, at once with a card that is refused (for trying), or later. */
export type Payment = types.Payment;
export const Payment = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "string",
  "enum": [
    "card",
    "declined-card",
    "invoice"
  ],
  "description": "How an order is paid: at once, at once with a card that is refused (for trying), or later."
};

/** What became of an order. The last three are final. */
export type Status = types.Status;
export const Status = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "string",
  "enum": [
    "placed",
    "reserved",
    "paid",
    "payment-failed",
    "shipped",
    "refused",
    "cancelled"
  ],
  "description": "What became of an order. The last three are final."
};

/** How many of something, or what it costs in cents. */
export type Count = types.Count;
export const Count = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "integer",
  "description": "How many of something, or what it costs in cents.",
  "minimum": 0
};

/** Puts a product on sale, or more of one that is. */
export type AddStock = types.AddStock;
export const AddStock = {
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
    "price_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What one costs.",
      "maximum": 1000000000
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many there are to add.",
      "maximum": 1000000000
    }
  },
  "required": [
    "product",
    "name",
    "price_cents",
    "quantity"
  ],
  "description": "Puts a product on sale, or more of one that is.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    }
  }
};

/** Orders something. Whether there is enough of it turns out later. */
export type PlaceOrder = types.PlaceOrder;
export const PlaceOrder = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "order": {
      "type": "string",
      "description": "A number that no other order has.",
      "minLength": 1,
      "maxLength": 100
    },
    "buyer": {
      "type": "string",
      "description": "Who orders."
    },
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many.",
      "minimum": 1,
      "maximum": 1000000
    },
    "payment": {
      "allOf": [
        {
          "$ref": "#/definitions/Payment"
        }
      ],
      "description": "How it is to be paid."
    },
    "pay_within_ms": {
      "anyOf": [
        {
          "$ref": "#/definitions/Count"
        },
        {
          "type": "null"
        }
      ],
      "description": "How long it may stay unpaid, in milliseconds; a quarter of an hour if not given.",
      "maximum": 31536000000
    }
  },
  "required": [
    "order",
    "buyer",
    "product",
    "quantity",
    "payment"
  ],
  "description": "Orders something. Whether there is enough of it turns out later.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    },
    "Payment": {
      "type": "string",
      "enum": [
        "card",
        "declined-card",
        "invoice"
      ],
      "description": "How an order is paid: at once, at once with a card that is refused (for trying), or later."
    }
  }
};

/** Which order is meant. */
export type Of = types.Of;
export const Of = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "order": {
      "type": "string",
      "description": "The order's number."
    }
  },
  "required": [
    "order"
  ],
  "description": "Which order is meant."
};

/** Asks whether all is as it should be. */
export type AuditOf = types.AuditOf;
export const AuditOf = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "description": "Asks whether all is as it should be."
};

/** How much there is of a product. `added` is always the sum of the other three. */
export type Stock = types.Stock;
export const Stock = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "name": {
      "type": "string",
      "description": "What people call it."
    },
    "price_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What one costs."
    },
    "added": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many there ever were."
    },
    "available": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many can be ordered."
    },
    "reserved": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many are set aside for orders."
    },
    "shipped": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many are gone."
    }
  },
  "required": [
    "name",
    "price_cents",
    "added",
    "available",
    "reserved",
    "shipped"
  ],
  "description": "How much there is of a product. `added` is always the sum of the other three.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    }
  }
};

/** An order. */
export type Order = types.Order;
export const Order = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "buyer": {
      "type": "string",
      "description": "Who ordered."
    },
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many."
    },
    "total_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What they cost together."
    },
    "payment": {
      "allOf": [
        {
          "$ref": "#/definitions/Payment"
        }
      ],
      "description": "How it is to be paid."
    },
    "status": {
      "allOf": [
        {
          "$ref": "#/definitions/Status"
        }
      ],
      "description": "What became of it so far."
    },
    "timer": {
      "type": [
        "string",
        "null"
      ],
      "description": "The timer that cancels it unless it is paid before."
    },
    "n_ends": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How often it ended, which is once at most."
    }
  },
  "required": [
    "buyer",
    "product",
    "quantity",
    "total_cents",
    "payment",
    "status",
    "timer",
    "n_ends"
  ],
  "description": "An order.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    },
    "Payment": {
      "type": "string",
      "enum": [
        "card",
        "declined-card",
        "invoice"
      ],
      "description": "How an order is paid: at once, at once with a card that is refused (for trying), or later."
    },
    "Status": {
      "type": "string",
      "enum": [
        "placed",
        "reserved",
        "paid",
        "payment-failed",
        "shipped",
        "refused",
        "cancelled"
      ],
      "description": "What became of an order. The last three are final."
    }
  }
};

/** All there is to know of an order, as its buyer wants to see it. */
export type Summary = types.Summary;
export const Summary = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "buyer": {
      "type": "string",
      "description": "Who ordered."
    },
    "product": {
      "type": "string",
      "description": "What people call the product."
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many."
    },
    "total_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What they cost together."
    },
    "latest": {
      "type": "string",
      "description": "The latest step, such as `stock.reserved`."
    },
    "ended": {
      "type": [
        "string",
        "null"
      ],
      "description": "How it ended, if it has."
    },
    "steps": {
      "type": "array",
      "items": {
        "$ref": "#/definitions/SummaryStep"
      },
      "description": "What happened, in order."
    }
  },
  "required": [
    "buyer",
    "product",
    "quantity",
    "total_cents",
    "latest",
    "ended",
    "steps"
  ],
  "description": "All there is to know of an order, as its buyer wants to see it.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    },
    "SummaryStep": {
      "type": "object",
      "properties": {
        "what": {
          "type": "string",
          "description": "What, such as `stock.reserved`."
        },
        "time_ms": {
          "allOf": [
            {
              "$ref": "#/definitions/Count"
            }
          ],
          "description": "When, in milliseconds since 1970."
        }
      },
      "required": [
        "what",
        "time_ms"
      ],
      "description": "Something that happened to an order."
    }
  }
};

/** Something that happened to an order. */
export type SummaryStep = types.SummaryStep;
export const SummaryStep = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "what": {
      "type": "string",
      "description": "What, such as `stock.reserved`."
    },
    "time_ms": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "When, in milliseconds since 1970."
    }
  },
  "required": [
    "what",
    "time_ms"
  ],
  "description": "Something that happened to an order.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    }
  }
};

/** Whether all is as it should be. */
export type Audit = types.Audit;
export const Audit = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "orders": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many orders there are."
    },
    "by_status": {
      "type": "object",
      "properties": {
        "placed": {
          "$ref": "#/definitions/Count"
        },
        "reserved": {
          "$ref": "#/definitions/Count"
        },
        "paid": {
          "$ref": "#/definitions/Count"
        },
        "payment-failed": {
          "$ref": "#/definitions/Count"
        },
        "shipped": {
          "$ref": "#/definitions/Count"
        },
        "refused": {
          "$ref": "#/definitions/Count"
        },
        "cancelled": {
          "$ref": "#/definitions/Count"
        }
      },
      "description": "How many are in which state."
    },
    "is_settled": {
      "type": "boolean",
      "description": "Whether all have come to their end."
    },
    "faults": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "The orders, 10 at most, that ended more than once, or not as often as their state says."
    },
    "stock": {
      "type": "object",
      "additionalProperties": {
        "$ref": "#/definitions/ProductAudit"
      },
      "description": "By product."
    },
    "is_sound": {
      "type": "boolean",
      "description": "Whether there are no faults and all stock adds up."
    }
  },
  "required": [
    "orders",
    "by_status",
    "is_settled",
    "faults",
    "stock",
    "is_sound"
  ],
  "description": "Whether all is as it should be.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    },
    "ProductAudit": {
      "type": "object",
      "properties": {
        "added": {
          "allOf": [
            {
              "$ref": "#/definitions/Count"
            }
          ],
          "description": "How many there ever were."
        },
        "available": {
          "allOf": [
            {
              "$ref": "#/definitions/Count"
            }
          ],
          "description": "How many can be ordered."
        },
        "reserved": {
          "allOf": [
            {
              "$ref": "#/definitions/Count"
            }
          ],
          "description": "How many are set aside."
        },
        "shipped": {
          "allOf": [
            {
              "$ref": "#/definitions/Count"
            }
          ],
          "description": "How many are gone."
        },
        "adds_up": {
          "type": "boolean",
          "description": "Whether the last three make the first, and what is set aside and gone is what orders say."
        }
      },
      "required": [
        "added",
        "available",
        "reserved",
        "shipped",
        "adds_up"
      ],
      "description": "Whether the stock of a product adds up."
    }
  }
};

/** Whether the stock of a product adds up. */
export type ProductAudit = types.ProductAudit;
export const ProductAudit = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "added": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many there ever were."
    },
    "available": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many can be ordered."
    },
    "reserved": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many are set aside."
    },
    "shipped": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many are gone."
    },
    "adds_up": {
      "type": "boolean",
      "description": "Whether the last three make the first, and what is set aside and gone is what orders say."
    }
  },
  "required": [
    "added",
    "available",
    "reserved",
    "shipped",
    "adds_up"
  ],
  "description": "Whether the stock of a product adds up.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    }
  }
};

/** The data of `order.placed`: what whoever reads only events needs to know. */
export type Placed = types.Placed;
export const Placed = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "order": {
      "type": "string",
      "description": "The order's number."
    },
    "buyer": {
      "type": "string",
      "description": "Who ordered."
    },
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "product_name": {
      "type": "string",
      "description": "What people call it."
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many."
    },
    "total_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What they cost together."
    }
  },
  "required": [
    "order",
    "buyer",
    "product",
    "product_name",
    "quantity",
    "total_cents"
  ],
  "description": "The data of `order.placed`: what whoever reads only events needs to know.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    }
  }
};

/** The data of the events between the first and the last. */
export type Step = types.Step;
export const Step = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "order": {
      "type": "string",
      "description": "The order's number."
    }
  },
  "required": [
    "order"
  ],
  "description": "The data of the events between the first and the last."
};

/** The data of an order's last event. */
export type Ended = types.Ended;
export const Ended = {
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "order": {
      "type": "string",
      "description": "The order's number."
    },
    "product": {
      "type": "string",
      "description": "The product's code."
    },
    "quantity": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "How many."
    },
    "total_cents": {
      "allOf": [
        {
          "$ref": "#/definitions/Count"
        }
      ],
      "description": "What they cost together."
    },
    "status": {
      "allOf": [
        {
          "$ref": "#/definitions/Status"
        }
      ],
      "description": "How it ended."
    },
    "reason": {
      "type": "string",
      "description": "Why, for people."
    }
  },
  "required": [
    "order",
    "product",
    "quantity",
    "total_cents",
    "status",
    "reason"
  ],
  "description": "The data of an order's last event.",
  "definitions": {
    "Count": {
      "type": "integer",
      "description": "How many of something, or what it costs in cents.",
      "minimum": 0
    },
    "Status": {
      "type": "string",
      "enum": [
        "placed",
        "reserved",
        "paid",
        "payment-failed",
        "shipped",
        "refused",
        "cancelled"
      ],
      "description": "What became of an order. The last three are final."
    }
  }
};
