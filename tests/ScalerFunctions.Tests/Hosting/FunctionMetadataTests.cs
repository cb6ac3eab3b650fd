using System.Text.Json.Nodes;
using FuncScaler.ScalerFunctions;
using Microsoft.Azure.Functions.Worker.Core.FunctionMetadata;

namespace FuncScaler.Tests;

/// <summary>What the worker tells the Functions host it can do: a function that is missing here is never called.</summary>
public sealed class FunctionMetadataTests
{
    private static readonly string[] Expected =
    [
        "Assign: httpTrigger post api/assign Function, durableClient, http",
        "CreateSlotAsync: activityTrigger",
        "Dashboard: httpTrigger get dashboard Function, http",
        "DashboardExplain: httpTrigger get api/dashboard/explain Function, http",
        "DashboardFunctions: httpTrigger get api/dashboard/functions Function, http",
        "DashboardSnapshot: httpTrigger get api/dashboard Function, http",
        "DestroySlot: orchestrationTrigger",
        "DestroySlotAsync: activityTrigger",
        "DestroySlotsAsync: activityTrigger",
        "GetPool: httpTrigger get api/pools/{metaKey} Function, durableClient, http",
        "GrpcWeb: httpTrigger post serverless.simulator.Scaler/{method} Function, durableClient, http",
        "InitSlotAsync: activityTrigger",
        "LookAsync: activityTrigger, durableClient",
        "ProvisionSlot: orchestrationTrigger",
        "PurgeHistory: timerTrigger 30 */10 * * * *, durableClient",
        "Ready: httpTrigger get api/ready Anonymous, durableClient, http",
        "ReconcilePools: orchestrationTrigger",
        "Release: httpTrigger post api/release Function, durableClient, http",
        "SetProvisioned: httpTrigger post api/pools/{metaKey}/provisioned Function, durableClient, http",
        "SlotPoolEntity: entityTrigger",
        "Stats: httpTrigger get api/stats Function, http",
        "Sweep: timerTrigger 0 * * * * *, durableClient",
        "WorkerEntity: entityTrigger",
    ];

    [Fact]
    public async Task The_worker_lists_every_function_with_its_bindings()
    {
        var listed = await new GeneratedFunctionMetadataProvider().GetFunctionMetadataAsync(AppContext.BaseDirectory);
        Assert.Equal(Expected, listed.Select(Describe).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Nothing_but_the_readiness_probe_is_open_to_anybody()
    {
        var listed = await new GeneratedFunctionMetadataProvider().GetFunctionMetadataAsync(AppContext.BaseDirectory);
        foreach (var function in listed.Where(f => f.Name != "Ready"))
        {
            var bindings = function.RawBindings!.Select(b => JsonNode.Parse(b)!).ToList();
            Assert.DoesNotContain(bindings, b => (string?)b["type"] == "httpTrigger" && (string?)b["authLevel"] == "Anonymous");
        }
    }

    private static string Describe(IFunctionMetadata function) =>
        $"{function.Name}: {string.Join(", ", function.RawBindings!.Select(b => Describe(JsonNode.Parse(b)!)))}";

    private static string Describe(JsonNode binding)
    {
        string?[] parts =
        [
            (string?)binding["type"],
            binding["methods"] is JsonArray methods ? string.Join('|', methods.Select(m => (string?)m)) : null,
            (string?)binding["route"],
            (string?)binding["schedule"],
            (string?)binding["authLevel"],
        ];
        return string.Join(' ', parts.Where(p => p is not null));
    }
}
