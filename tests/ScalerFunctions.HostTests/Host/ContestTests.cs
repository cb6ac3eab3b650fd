using System.Diagnostics;
using System.Text.Json.Nodes;
using FuncScaler.FunctionsHost;
using FuncScaler.FunctionsHost.Storage;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Host;

/// <summary>The contest against the app: its native gRPC port, its cold starts, its ledgers.</summary>
[Collection(StorageDefinition.Name)]
public sealed class ContestTests(StorageFixture storage, ITestOutputHelper output)
{
    [HostFact]
    public async Task Every_request_of_a_contest_is_served_through_the_native_gRPC_port()
    {
        var log = new HostLog();
        using var platform = new ReservedPort();
        using var grpc = new ReservedPort();
        await using var meter = await StorageMeter.StartAsync(storage.Azurite.Services, CancellationToken.None);
        await using var host = await App.StartAsync(new HostOptions
        {
            App = App.Folder,
            Storage = meter.ConnectionString,
            Hub = StorageFixture.NewHub(),
            Timers = false,
            Log = log.Add,
            Settings = new Dictionary<string, string>
            {
                ["Scaler__Backend"] = "simulator",
                ["Scaler__Platform"] = $"127.0.0.1:{platform.Number}",
                ["Scaler__Grpc__Port"] = $"{grpc.Number}",
            },
        });
        using (var http = new HttpClient { BaseAddress = host.Url })
        {
            await App.UntilReadyAsync(http);
        }

        meter.Reset();

        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        string[] arguments =
        [
            "exec", Path.Combine(AppContext.BaseDirectory, "funcscaler.dll"), "contest", "--preset", "dense", "--length", "5", "--tail", "0", "--json",
            "--scaler", $"127.0.0.1:{grpc.Number}", "--port", $"{platform.Number}",
        ];
        Array.ForEach(arguments, start.ArgumentList.Add);
        using var contest = Process.Start(start)!;
        using var limit = new CancellationTokenSource(App.Limit);
        var errors = contest.StandardError.ReadToEndAsync(limit.Token);
        var answer = await contest.StandardOutput.ReadToEndAsync(limit.Token);
        await contest.WaitForExitAsync(limit.Token);
        Assert.True(contest.ExitCode == 0, $"{await errors}\n{log}");

        var result = Assert.Single(JsonNode.Parse(answer)!.AsArray())!;
        Assert.True((int)result["failedRequestsCount"]! == 0, $"{answer}\n{log}");
        Assert.True((int)result["totalRequestsCount"]! > 20, answer);
        output.WriteLine($"{result["totalRequestsCount"]} requests, score {result["score"]}, {meter.Total} storage operations: {string.Join(", ", meter.Counts.Select(c => $"{c.Value} {c.Key}"))}");
    }
}
