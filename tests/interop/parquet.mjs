// Prints the rows of a Parquet file, a line of JSON each, with a reader that shares no code with FuncScaler's writer.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

for (const row of await parquetReadObjects({ file: await asyncBufferFromFile(process.argv[2]) })) {
  console.log(JSON.stringify(row, (_, value) => (typeof value === "bigint" ? Number(value) : value)));
}
