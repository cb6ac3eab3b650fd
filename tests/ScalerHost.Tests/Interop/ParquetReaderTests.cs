using System.Text.Json.Nodes;

namespace FuncScaler.Tests.Interop;

/// <summary>Another maker's reader finds in results.parquet what results.json says.</summary>
public sealed class ParquetReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [NodeFact]
    public async Task Every_value_of_every_row_is_read()
    {
        var simulated = await FuncScalerCommand.RunAsync(
            "simulate", "--preset", "smoke", "--length", "5", "--seeds", "1..2", "--policy", "ttl:9,direct", "--latency-price", "2", "--out", _folder.Path);
        Assert.Equal((0, ""), (simulated.ExitCode, simulated.Errors));
        var expected = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(_folder.Path, "results.json")))!.AsArray();

        await using var reader = InteropProcess.Node("parquet.mjs", Path.Combine(_folder.Path, "results.parquet"));

        // Two policies and the bound, with two seeds.
        Assert.Equal(6, expected.Count);
        foreach (var row in expected)
        {
            var read = JsonNode.Parse(await reader.ReadLineAsync())!.AsObject();
            Assert.Equal(row!.AsObject().Select(v => v.Key), read.Select(v => v.Key));
            Assert.All(row.AsObject(), value => Assert.True(Same(value.Value, read[value.Key]), $"{value.Key}: {value.Value} and {read[value.Key]}"));
        }
    }

    private static bool Same(JsonNode? expected, JsonNode? read) =>
        expected is null || read is null ? expected is null && read is null
        : expected.GetValueKind() == System.Text.Json.JsonValueKind.Number ? expected.AsValue().GetValue<double>() == read.AsValue().GetValue<double>()
        : JsonNode.DeepEquals(expected, read);
}
