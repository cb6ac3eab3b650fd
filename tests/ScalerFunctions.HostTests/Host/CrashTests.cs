using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using FuncScaler.FunctionsHost;
using FuncScaler.Leasing.Ledger;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.SlotBackends.Fake;
using FuncScaler.Tests.Engine;
using FuncScaler.Tests.FakeArm;
using Xunit.Abstractions;

namespace FuncScaler.Tests.Host;

/// <summary>Workers and hosts that end as a crash ends them.</summary>
[Collection(StorageDefinition.Name)]
public sealed class CrashTests(StorageFixture storage, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Functions = 3;

    private static readonly int Kills = (int)TestLength.Count("FUNCSCALER_KILLS", 1, 3);

    private readonly HostLog _log = new();
    private readonly string _hub = StorageFixture.NewHub();
    private FakeArmServer? _platform;

    public async Task InitializeAsync() => _platform = await App.StartPlatformAsync();

    public async Task DisposeAsync() => await _platform!.DisposeAsync();

    [HostFact(takesMinutes: true)]
    public async Task Workers_killed_under_load_lose_nothing_and_give_nothing_to_two_requests()
    {
        await using var host = await App.StartAsync(Options() with { Workers = 2 });
        var callers = new Callers(host.Url, _platform!, Functions);
        using var ending = new CancellationTokenSource();
        var running = callers.RunAsync(8, seed: 7, ending.Token);
        for (var kill = 0; kill <= Kills; kill++)
        {
            var enough = callers.Served + 60;
            await Waiting.UntilAsync($"{enough} requests are served", App.Limit, () => callers.HaveServedAsync(enough), () => $"{callers}\n{_log}");
            if (kill < Kills)
            {
                var victims = host.Workers.Ready;
                victims[kill % victims.Count].Kill();
            }
        }

        await ending.CancelAsync();
        await running.WaitAsync(App.Limit);
        Assert.Empty(callers.Wrong);
        Assert.Equal(2 + Kills, host.Workers.Started);
        using var http = new HttpClient { BaseAddress = host.Url };
        await Accounts.BalanceAsync(http, _platform!, Functions, () => App.SweepAsync(host), _log.ToString);
        output.WriteLine($"{callers.Served} requests served, {callers.Repeated} calls repeated, {_platform!.Created} instances created, {_platform.Groups.Count} exist");
    }

    [HostFact(takesMinutes: true)]
    public async Task A_host_killed_with_all_it_has_is_started_again_and_goes_on_from_the_ledgers()
    {
        // An orphaned worker would serve on its old address; the new host's callers do not know it.
        using var port = new ReservedPort();
        await using var first = await HostCommand.StartAsync(storage.Storage, _hub, port.Number, Options().Settings);
        var callers = new Callers(first.Url, _platform!, Functions);
        using var ending = new CancellationTokenSource();
        var running = callers.RunAsync(4, seed: 11, ending.Token);
        await Waiting.UntilAsync("50 requests are served", App.Limit, () => callers.HaveServedAsync(50), callers.ToString);
        first.KillWithWorkers();

        await using var second = await HostCommand.StartAsync(storage.Storage, _hub, port.Number, Options().Settings);
        var enough = callers.Served + 50;
        await Waiting.UntilAsync("50 more requests are served", App.Limit, () => callers.HaveServedAsync(enough), callers.ToString);
        await ending.CancelAsync();
        await running.WaitAsync(App.Limit);
        Assert.Empty(callers.Wrong);
        using var http = new HttpClient { BaseAddress = second.Url };
        await Accounts.BalanceAsync(http, _platform!, Functions, () => Task.CompletedTask, () => "");
        output.WriteLine($"{callers.Served} requests served, {callers.Repeated} calls repeated, {_platform!.Created} instances created, {_platform.Groups.Count} exist");
    }

    [HostFact(takesMinutes: true)]
    public async Task Orphans_of_a_killed_host_end_themselves_and_free_the_native_port()
    {
        using var grpc = new ReservedPort();
        var settings = new Dictionary<string, string>(Options().Settings) { ["Scaler__Grpc__Port"] = $"{grpc.Number}" };
        await using var host = await HostCommand.StartAsync(storage.Storage, _hub, 0, settings);
        host.Kill();
        await host.WorkersEndAsync();
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, grpc.Number);
        listener.Start();
    }

    [HostFact(takesMinutes: true)]
    public async Task A_worker_that_dies_in_an_entity_operation_does_not_hold_the_entity_up()
    {
        await using var host = await App.StartAsync(Options());
        await using var client = new AzuriteEngine(storage.Storage, _hub, new FakeBackend(TimeProvider.System));
        var frozen = host.Workers.Ready.Single();
        Signal(frozen.ProcessId, "STOP");
        await WishAsync(client, 1);
        await Waiting.UntilAsync("the operation is under way", App.Limit, () => frozen.Running > 0, _log.ToString);
        frozen.Kill();

        // The Durable extension takes an operation that was under way for done, and failed: nobody does it again.
        await Waiting.UntilAsync("another worker is there", App.Limit, () => host.Workers.Ready.Any(w => w.Id != frozen.Id), _log.ToString);
        await WishAsync(client, 2);
        await Waiting.UntilAsync("the next wish is carried out", App.Limit, () => _platform!.Groups.Count == 2, _log.ToString);
    }

    [HostFact(takesMinutes: true)]
    public async Task A_worker_that_hangs_holds_an_entity_up_for_the_functions_timeout_at_most()
    {
        var timeout = TimeSpan.FromSeconds(4);
        await using var host = await App.StartAsync(Options() with { FunctionTimeout = timeout });
        await using var client = new AzuriteEngine(storage.Storage, _hub, new FakeBackend(TimeProvider.System));
        var frozen = host.Workers.Ready.Single();
        Signal(frozen.ProcessId, "STOP");
        var began = Stopwatch.GetTimestamp();
        await WishAsync(client, 1);
        await Waiting.UntilAsync("the host has ended the worker", App.Limit, () => frozen.Ended.IsCompleted, _log.ToString);
        Assert.True(Stopwatch.GetElapsedTime(began) >= timeout);

        // A worker's start counts towards the timeout of what waits for it.
        await Waiting.UntilAsync("another worker is there", App.Limit, () => host.Workers.Ready.Any(w => w.Id != frozen.Id), _log.ToString);
        await WishAsync(client, 2);
        await Waiting.UntilAsync("the next wish is carried out", App.Limit, () => _platform!.Groups.Count == 2, _log.ToString);
    }

    [HostFact]
    public async Task A_ledger_of_the_former_format_is_read_and_goes_on()
    {
        var function = new MetaKey("f");
        await using var client = new AzuriteEngine(storage.Storage, _hub, new FakeBackend(TimeProvider.System));
        var former = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "Fixtures", "ledger-1.json")))!.ToJsonString();
        client.Entity = batch => Task.FromResult(new DurableTask.Core.Entities.OperationFormat.EntityBatchResult
        {
            EntityState = former,
            Actions = [],
            Results = [.. batch.Operations!.Select(_ => new DurableTask.Core.Entities.OperationFormat.OperationResult())],
        });
        await client.StartAsync();
        await client.SignalAsync(function, "Plant", null);
        await Waiting.UntilAsync("the former state is in storage", App.Limit, async () => await client.ReadJsonAsync(function) is not null);
        await client.StopAsync();

        await using var host = await App.StartAsync(Options());
        using var http = new HttpClient { BaseAddress = host.Url, DefaultRequestHeaders = { { "x-operator-key", App.OperatorKey } } };

        // A cold worker on a busy machine may fail its first request: its SDK gives a request 5 s to arrive after its invocation.
        await Waiting.UntilAsync("the worker answers", App.Limit, async () => (await http.GetAsync("api/ready")).IsSuccessStatusCode, _log.ToString);
        var pool = await http.GetFromJsonAsync<JsonNode>("api/pools/f");
        Assert.Equal(812, (long)pool!["revision"]!);
        Assert.Equal(["s1", "s2", "s3"], pool["slots"]!.AsArray().Select(s => (string?)s!["backendSlot"]));

        // Any operation writes it in the present format.
        using var wish = await http.PostAsync("api/pools/f/provisioned", JsonContent.Create(new { count = 1 }));
        wish.EnsureSuccessStatusCode();
        await Waiting.UntilAsync("it is written anew", App.Limit, async () =>
            (int)JsonNode.Parse((await client.ReadJsonAsync(function))!)!["format"]! == LedgerState.CurrentFormat, _log.ToString);
        Assert.Equal("f", (await client.ReadAsync(function))!.Function!.Key.Value);
    }

    private static void Signal(int process, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{process}"]);
        kill.WaitForExit();
    }

    private static Task WishAsync(AzuriteEngine client, int count) => client.SignalAsync(
        new MetaKey("f0"), nameof(SlotPoolEntity.SetProvisioned), new ProvisionedWish(new FunctionMeta(new MetaKey("f0"), "python", 1, 512), count));

    private HostOptions Options() => new()
    {
        App = App.Folder,
        Storage = storage.Storage,
        Hub = _hub,
        Settings = App.OnContainerInstances(_platform!),
        Timers = false,
        Log = _log.Add,
    };
}
