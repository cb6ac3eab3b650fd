using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Parquet;
using Parquet.Schema;

namespace FuncScaler.ContestSimulator.Experiments;

/// <summary>Writes runs as results.csv, results.json and results.parquet: the same rows and columns in each.</summary>
public static class ResultFiles
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes all three into a folder, which is made when it is not there.</summary>
    public static async Task WriteAsync(IReadOnlyList<ExperimentRun> runs, string folder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(runs);
        Directory.CreateDirectory(folder);
        await WholeFile.WriteTextAsync(Path.Combine(folder, "results.csv"), Csv(runs)).ConfigureAwait(false);
        var json = new JsonArray([.. runs.Select(r => r.ToJson())]).ToJsonString(Indented) + "\n";
        await WholeFile.WriteTextAsync(Path.Combine(folder, "results.json"), json).ConfigureAwait(false);
        if (runs.Count > 0)
        {
            await WholeFile.WriteAsync(Path.Combine(folder, "results.parquet"), file => WriteParquetAsync(runs, file, cancellationToken)).ConfigureAwait(false);
        }
    }

    private static string Csv(IReadOnlyList<ExperimentRun> runs)
    {
        var text = new StringBuilder();
        foreach (var name in runs.Count > 0 ? runs[0].Fields().Select(f => f.Name) : [])
        {
            text.Append(text.Length > 0 ? "," : "").Append(name);
        }

        text.Append('\n');
        foreach (var run in runs)
        {
            text.AppendJoin(',', run.Fields().Select(f => Cell(f.Value))).Append('\n');
        }

        return text.ToString();
    }

    private static string Cell(object? value)
    {
        var text = value switch
        {
            null => "",
            bool flag => flag ? "true" : "false",
            double number => number.ToString("R", CultureInfo.InvariantCulture),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
        return text.AsSpan().ContainsAny(",\"\n") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
    }

    private static async Task WriteParquetAsync(IReadOnlyList<ExperimentRun> runs, Stream file, CancellationToken cancellationToken)
    {
        var rows = runs.Select(r => r.Fields().ToArray()).ToArray();
        string[] names = [.. rows[0].Select(f => f.Name)];
        var fields = names.Select((name, i) => FieldOf(name, rows.Select(r => r[i].Value))).ToArray();
        var writer = await ParquetWriter.CreateAsync(new ParquetSchema(fields), file, cancellationToken: cancellationToken).ConfigureAwait(false);
        await using (writer.ConfigureAwait(false))
        {
            using var group = writer.CreateRowGroup();
            for (var i = 0; i < fields.Length; i++)
            {
                var values = rows.Select(r => r[i].Value).ToArray();
                await (fields[i] switch
                {
                    DataField<string> field => group.WriteAsync(field, [.. values.Select(v => (string)v!)]),
                    DataField<bool> field => group.WriteAsync<bool>(field, values.Select(v => (bool)v!).ToArray().AsMemory(), cancellationToken: cancellationToken),
                    DataField<long?> field => group.WriteAsync<long>(field, values.Select(v => (long?)v).ToArray().AsMemory(), cancellationToken: cancellationToken),
                    var field => group.WriteAsync<double>(field, values.Select(v => (double?)v).ToArray().AsMemory(), cancellationToken: cancellationToken),
                }).ConfigureAwait(false);
            }
        }
    }

    private static DataField FieldOf(string name, IEnumerable<object?> values) => values.FirstOrDefault(v => v is not null) switch
    {
        string => new DataField<string>(name),
        bool => new DataField<bool>(name),
        long => new DataField<long?>(name),
        _ => new DataField<double?>(name),
    };
}
