import { z } from "zod";

const id = "https://framepost.invalid/framepost.schema.json";

/** JSON Schema (draft 2020-12) of the file that the operator writes, for completion in editors. */
export function jsonSchemaOf(schema: z.ZodType): unknown {
  const generated = z.toJSONSchema(schema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      // Zod leaves out a default whose form in the file differs from the one in the program.
      const definition = zodSchema._zod.def;
      if (definition.type !== "default" || jsonSchema.default !== undefined) return;
      const written = z.safeEncode(definition.innerType as z.ZodType, definition.defaultValue);
      if (written.success) jsonSchema.default = written.data;
    },
  });
  return { ...generated, $id: id, title: "Framepost configuration" };
}
