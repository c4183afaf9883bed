// The document in which a module says what it is.

/** The version of the contract that this SDK is written for. */
const CONTRACT = "0.1.0";

/** The manifest of an app's definition. */
export function manifest(definition) {
  return {
    contract: CONTRACT,
    description: definition.description,
    tables: members(
      [...definition.tables.values()].map((table) => [table.name, table]),
      tableMember,
    ),
    queries: members(definition.queries, handlerMember),
    commands: members(definition.commands, handlerMember),
    events: members(definition.events, eventMember),
    projections: members(definition.projections, projectionMember),
    reactions: members(definition.reactions, reactionMember),
    on_deploy: definition.onDeploy,
  };
}

function members(all, member) {
  return Object.fromEntries(Array.from(all, ([name, value]) => [name, member(value)]));
}

function tableMember({ description, adopt }) {
  return { description, adopt };
}

function handlerMember({ description, input, output }) {
  return { description, input, output };
}

function eventMember({ description, schema }) {
  return { description, schema };
}

function projectionMember({ description, version, on, tables }) {
  return { description, version, on, tables };
}

function reactionMember({ description, on, from }) {
  return { description, on, from };
}
