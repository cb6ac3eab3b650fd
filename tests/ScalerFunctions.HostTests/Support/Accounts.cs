using System.Text.Json;
using System.Text.Json.Nodes;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests;

/// <summary>Compares what exists at the platform with what the ledgers know.</summary>
internal static class Accounts
{
    /// <summary>What a dead worker has created without telling is nobody's until its lease and the longest hold of a request are over.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    /// <summary>Waits until every container group belongs to a ledger: nothing is lost, whoever died.</summary>
    public static async Task BalanceAsync(HttpClient http, FakeArmServer platform, int functions, Func<Task> sweep, Func<string> standing)
    {
        IReadOnlyList<string> strangers = [];
        await Waiting.UntilAsync(
            "every instance belongs to a ledger",
            Limit,
            async () =>
            {
                await sweep();
                var existing = platform.Groups.Where(g => g.GoneAt is null).Select(g => g.Name).ToList();
                var known = await KnownAsync(http, functions);
                strangers = [.. existing.Where(name => !known.Contains(name))];
                return strangers.Count == 0;
            },
            () => $"Nobody's: {string.Join(", ", strangers)}. {standing()}");
    }

    /// <summary>The names of all slots in all ledgers.</summary>
    private static async Task<HashSet<string>> KnownAsync(HttpClient http, int functions)
    {
        var known = new HashSet<string>();
        for (var i = 0; i < functions; i++)
        {
            try
            {
                var pool = JsonNode.Parse(await http.GetStringAsync($"api/pools/f{i}"))!;
                known.UnionWith(pool["slots"]!.AsArray().Select(s => ((string?)s!["backendSlot"] ?? "").Split('/')[^1]));
            }
            catch (Exception e) when (e is HttpRequestException or JsonException)
            {
                // It was never asked for, or its worker is starting.
            }
        }

        return known;
    }
}
