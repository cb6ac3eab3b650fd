using System.Globalization;
using System.Text.Json;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Http;
using FuncScaler.SlotBackends.Process;
using FuncScaler.Tests.Backends;

namespace FuncScaler.Tests.Processes;

/// <summary>The contract on real processes.</summary>
public class ProcessBackendTests : SlotBackendContract
{
    protected override int Many => 12;

    protected override Task<BackendHarness> StartAsync() => Task.FromResult<BackendHarness>(new Harness(TestServer.Options));

    [Fact]
    public async Task An_instance_answers_at_its_address_and_knows_what_it_is()
    {
        await using var harness = new Harness(With(c => c with
        {
            Environment = new Dictionary<string, string> { ["MODE"] = "x" },
            Start = c.Start with { Init = InitMode.HttpInit },
            Code = new FunctionCode { Code = "the code" },
        }));

        var (_, address) = await harness.RunAsync(1);

        using var answer = JsonDocument.Parse(await GetAsync(address));
        var environment = answer.RootElement.GetProperty("env");
        Assert.Equal(("x", "f", "i-1", "512"), (Of("MODE"), Of("FUNCSCALER_FUNCTION"), Of("FUNCSCALER_INSTANCE"), Of("FUNCSCALER_MEMORY_MB")));
        Assert.Contains("the code", answer.RootElement.GetProperty("initialised").GetString(), StringComparison.Ordinal);

        string Of(string name) => environment.GetProperty(name).GetString()!;
    }

    [Theory]
    [InlineData("")]
    [InlineData("IGNORE_TERM")]
    [InlineData("SPAWN")]
    public async Task Nothing_of_an_instance_is_left_after_it_is_destroyed(string behaviour)
    {
        var environment = new Dictionary<string, string> { [behaviour.Length > 0 ? behaviour : "NONE"] = "1" };
        var options = With(c => c with { Environment = environment }) with { StopTimeout = TimeSpan.FromMilliseconds(300) };
        await using var harness = new Harness(options);
        var (slot, address) = await harness.RunAsync(1);
        using var answer = JsonDocument.Parse(await GetAsync(address));
        var pid = answer.RootElement.GetProperty("pid").GetInt32();
        Assert.NotEmpty(MembersOf(pid));

        Assert.True(await harness.Backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));

        await Eventually.HoldsAsync(() => MembersOf(pid).Count == 0);
        Assert.Empty(harness.Existing);
    }

    [Fact]
    public async Task None_survives_the_backend()
    {
        var harness = new Harness(TestServer.Options);
        var running = await Task.WhenAll(Enumerable.Range(1, 3).Select(i => harness.RunAsync(i)));
        var pids = running.Select(r => ((ProcessBackend)harness.Backend).ProcessOf(r.Slot)!.Id).ToList();

        await harness.DisposeAsync();

        await Eventually.HoldsAsync(() => pids.TrueForAll(p => MembersOf(p).Count == 0));
    }

    [Fact]
    public async Task A_process_that_takes_more_memory_than_its_function_has_is_stopped_by_the_system()
    {
        await using var harness = new Harness(TestServer.Options with { MemoryHeadroomMb = 0 });
        var slot = await harness.Backend.CreateAsync(new SlotTicket(1), Function with { MemoryMb = 256 }, CancellationToken.None);
        var address = await harness.Backend.InitAsync(slot, new InstanceId("i-1"), Function, CancellationToken.None);

        // The server dies of it, or keeps its words to itself.
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => GetAsync(new Uri(address!, "/eat")));
    }

    [Fact]
    public async Task A_process_that_ends_before_it_is_ready_says_what_it_printed()
    {
        await using var harness = new Harness(With(_ => new ProcessCommand { Command = ["/bin/sh", "-c", "echo out of luck >&2; exit 3"] }));

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.RunAsync(1));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Contains("exit code 3", e.Message, StringComparison.Ordinal);
        Assert.Contains("out of luck", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_that_does_not_exist_is_refused_for_good()
    {
        await using var harness = new Harness(With(_ => new ProcessCommand { Command = ["no-such-program"] }));

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.RunAsync(1));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
        Assert.Contains("no-such-program", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_that_never_listens_is_given_up_and_killed()
    {
        await using var harness = new Harness(With(c => new ProcessCommand { Command = ["sleep", "1000"], Start = c.Start with { Timeout = TimeSpan.FromMilliseconds(200) } }));

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => harness.RunAsync(1));

        Assert.Contains("was not ready after 0.2 s", e.Message, StringComparison.Ordinal);
        await Eventually.HoldsAsync(() => harness.Existing.Count == 0);
    }

    [Fact]
    public async Task A_function_without_a_command_is_refused_for_good_and_one_of_a_known_runtime_is_not()
    {
        await using var harness = new Harness(new ProcessOptions { Runtimes = new Dictionary<string, ProcessCommand> { ["go"] = TestServer.Command } });

        await harness.RunAsync(1);
        var e = await Assert.ThrowsAsync<SlotBackendException>(
            () => harness.Backend.CreateAsync(new SlotTicket(2), Function with { Runtime = "java" }, CancellationToken.None));

        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
        Assert.Contains("add it to functions", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Slots_are_promised_no_more_memory_than_there_is()
    {
        await using var harness = new Harness(TestServer.Options with { MaxMemoryMb = 1_100 });
        var first = await harness.Backend.CreateAsync(new SlotTicket(1), Function, CancellationToken.None);
        await harness.Backend.CreateAsync(new SlotTicket(2), Function, CancellationToken.None);

        Assert.Equal(FailureKind.Throttled, await FailureAsync(Function));
        Assert.Equal(FailureKind.Permanent, await FailureAsync(Function with { MemoryMb = 1_200 }));
        await harness.Backend.DestroyAsync(new SlotTicket(1), first, "test", CancellationToken.None);
        await harness.Backend.CreateAsync(new SlotTicket(4), Function, CancellationToken.None);

        async Task<FailureKind> FailureAsync(FunctionMeta function) => (await Assert.ThrowsAsync<SlotBackendException>(
            () => harness.Backend.CreateAsync(new SlotTicket(3), function, CancellationToken.None))).Failure.Kind;
    }

    [Fact]
    public void Settings_that_cannot_work_are_found_before_anything_is_started()
    {
        Assert.Contains("at least one", Assert.Single(new ProcessOptions().Check()), StringComparison.Ordinal);
        Assert.Contains("is no command", Assert.Single(With(_ => new ProcessCommand()).Check()), StringComparison.Ordinal);
        Assert.Contains("is no folder", Assert.Single(With(c => c with { Directory = "/no/such/folder" }).Check()), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new ProcessBackend(new ProcessOptions(), TimeProvider.System));
    }

    private static ProcessOptions With(Func<ProcessCommand, ProcessCommand> change) =>
        TestServer.Options with { Functions = new Dictionary<string, ProcessCommand> { ["f"] = change(TestServer.Command) } };

    private static async Task<string> GetAsync(Uri address)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(address);
    }

    /// <summary>The processes of a process group, zombies not counted.</summary>
    private static List<int> MembersOf(int group)
    {
        var members = new List<int>();
        foreach (var folder in Directory.Exists("/proc") ? Directory.GetDirectories("/proc") : [])
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                continue;
            }

            try
            {
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                if (fields[0] != "Z" && int.Parse(fields[2], CultureInfo.InvariantCulture) == group)
                {
                    members.Add(pid);
                }
            }
            catch (IOException)
            {
                // It has ended meanwhile.
            }
        }

        return members;
    }

    private sealed class Harness(ProcessOptions options) : BackendHarness
    {
        private readonly ProcessBackend _backend = new(options, TimeProvider.System);

        public override ISlotBackend Backend => _backend;

        public override IReadOnlyCollection<BackendSlotId> Existing =>
            [.. _backend.ListAsync([], CancellationToken.None).Result!.Select(s => s.Id)];

        public async Task<(BackendSlotId Slot, Uri Address)> RunAsync(long ticket)
        {
            var slot = await _backend.CreateAsync(new SlotTicket(ticket), Function, CancellationToken.None);
            return (slot, (await _backend.InitAsync(slot, new InstanceId($"i-{ticket}"), Function, CancellationToken.None))!);
        }

        public override void Lose(BackendSlotId slot)
        {
            var process = _backend.ProcessOf(slot)!;
            process.Kill();
            SpinWait.SpinUntil(() => process.HasExited, TimeSpan.FromSeconds(30));
        }

        public override ValueTask DisposeAsync() => _backend.DisposeAsync();
    }
}
