using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Process;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests.Processes;

/// <summary>What a function cannot do to the scaler, to its machine and to its neighbours, on real processes.</summary>
public class ProcessIsolationTests
{
    private static readonly FunctionMeta Function = new(new MetaKey("f"), "python", 60, 64);

    [PythonTheory]
    [InlineData(ProcessIsolation.Auto)]
    [InlineData(ProcessIsolation.Tree)]
    public async Task A_daemon_does_not_outlive_its_instance(ProcessIsolation isolation)
    {
        await using var backend = Start(PythonServer.Command, o => o with { Isolation = isolation });
        var (slot, address) = await RunAsync(backend, 1);
        await GetAsync(address, "daemon");
        var (instance, daemons) = await DaemonsAsync(address, "daemon");
        Assert.Equal(2, daemons.Count);
        Assert.All(daemons, d => Assert.True(Runs(d)));

        Assert.True(await backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));

        Assert.False(Runs(instance));
        Assert.All(daemons, d => Assert.False(Runs(d), $"{d} still runs"));
    }

    [PythonTheory]
    [InlineData(ProcessIsolation.Auto)]
    [InlineData(ProcessIsolation.Tree)]
    public async Task A_daemon_does_not_outlive_an_instance_that_ends_by_itself(ProcessIsolation isolation)
    {
        await using var backend = Start(PythonServer.Command, o => o with { Isolation = isolation });
        var lost = new TaskCompletionSource<LostSlot>();
        backend.SlotLost += lost.SetResult;
        var (_, address) = await RunAsync(backend, 1);
        var (_, daemons) = await DaemonsAsync(address, "daemon");

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => GetAsync(address, "exit"));

        Assert.Contains("exit code 7", (await lost.Task.WaitAsync(TimeSpan.FromSeconds(30))).Reason, StringComparison.Ordinal);
        Assert.All(daemons, d => Assert.False(Runs(d), $"{d} still runs"));
    }

    [PythonFact]
    public async Task A_daemon_that_hides_its_origin_does_not_outlive_its_instance_in_a_control_group()
    {
        await using var backend = Start(PythonServer.Command);
        var (slot, address) = await RunAsync(backend, 1);
        var (_, daemons) = await DaemonsAsync(address, "detached");
        Assert.True(Runs(Assert.Single(daemons)));

        await backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None);

        // Without control groups nothing tells it from anybody's process; the page on backends says so.
        if (Needs.HasGroups)
        {
            Assert.False(Runs(daemons[0]));
        }
        else
        {
            Assert.Equal(0, ProcessCalls.SendSignal(daemons[0], ProcessCalls.SigKill));
        }
    }

    [Fact]
    public void A_process_that_was_seen_to_be_an_instances_stays_so_when_it_leaves()
    {
        var tree = new ProcessTree(Listed(10, parent: 1, started: 5), "FUNCSCALER_PROCESS=none");
        var root = Listed(10, parent: 1, started: 5);

        tree.Look([root, Listed(11, parent: 10, started: 6), Listed(12, parent: 11, started: 7), Listed(20, parent: 1, started: 8)]);
        tree.Look([root, Listed(12, parent: 1, started: 7), Listed(20, parent: 1, started: 8), Listed(21, parent: 12, started: 9)]);

        Assert.Equal([10, 12, 21], tree.Seen.Order());

        static ListedProcess Listed(int id, int parent, long started) => new(id, parent, id, id, started);
    }

    [LimitedFact]
    public async Task Shared_memory_counts_against_what_an_instance_may_have()
    {
        await using var backend = Start(PythonServer.Command);
        var lost = new TaskCompletionSource<LostSlot>();
        backend.SlotLost += lost.SetResult;
        var (_, address) = await RunAsync(backend, 1);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => GetAsync(address, "shared"));

        Assert.Contains("more memory", (await lost.Task.WaitAsync(TimeSpan.FromSeconds(30))).Reason, StringComparison.Ordinal);
    }

    [LimitedFact]
    public async Task An_instance_has_no_more_processes_than_it_may()
    {
        await using var backend = Start(PythonServer.Command, o => o with { MaxProcesses = 20 });
        var (_, address) = await RunAsync(backend, 1);

        var (_, started) = await DaemonsAsync(address, "many");

        Assert.InRange(started.Count, 5, 19);
    }

    [PythonTheory]
    [InlineData(ProcessIsolation.Auto)]
    [InlineData(ProcessIsolation.Tree)]
    public async Task An_instance_sees_nothing_of_the_scalers_environment_but_what_it_needs(ProcessIsolation isolation)
    {
        Environment.SetEnvironmentVariable("FUNCSCALER_TEST_SECRET", "secret");
        Environment.SetEnvironmentVariable("FUNCSCALER_TEST_PASSED", "passed");
        await using var backend = Start(
            PythonServer.Command with { Environment = new Dictionary<string, string> { ["OWN"] = "own" } },
            o => o with { Isolation = isolation, PassEnvironment = ["FUNCSCALER_TEST_PASSED"] });

        var (_, address) = await RunAsync(backend, 1);

        using var answer = JsonDocument.Parse(await GetAsync(address, ""));
        var seen = answer.RootElement.GetProperty("env").EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!);
        Assert.Equal("own", seen["OWN"]);
        Assert.Equal("passed", seen["FUNCSCALER_TEST_PASSED"]);
        Assert.Equal(Environment.GetEnvironmentVariable("PATH"), seen["PATH"]);
        string[] known =
        [
            "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "DOTNET_ROOT", "JAVA_HOME", "OWN", "FUNCSCALER_TEST_PASSED",
            "PORT", "FUNCSCALER_FUNCTION", "FUNCSCALER_INSTANCE", "FUNCSCALER_MEMORY_MB", "FUNCSCALER_PROCESS",

            // The shell's own.
            "PWD", "SHLVL", "_", "OLDPWD",
        ];
        Assert.DoesNotContain(seen.Keys, k => !known.Contains(k) && !k.StartsWith("LC_", StringComparison.Ordinal));
    }

    [PythonFact]
    public async Task An_instance_that_dies_unused_is_told_of_and_its_memory_is_free_again()
    {
        await using var backend = Start(PythonServer.Command, o => o with { MaxMemoryMb = 100 });
        var lost = new TaskCompletionSource<LostSlot>();
        backend.SlotLost += lost.SetResult;
        var (slot, _) = await RunAsync(backend, 1);

        backend.ProcessOf(slot)!.Kill();

        Assert.Equal((new SlotTicket(1), slot), ((await lost.Task.WaitAsync(TimeSpan.FromSeconds(30))).Ticket, lost.Task.Result.Id));
        Assert.Empty((await backend.ListAsync([], CancellationToken.None))!);
        Assert.False(await backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None));
        await RunAsync(backend, 2);
    }

    [PythonFact]
    public async Task An_instance_that_dies_unused_is_not_given_to_the_next_request()
    {
        var backend = Start(PythonServer.Command);
        var lost = new TaskCompletionSource<LostSlot>();

        // Without an interval nothing but the process's end has the runtime look.
        await using var runtime = new ScalerRuntime(
            backend, PolicyCatalog.Parse("ttl:300"), new ScalerRuntimeOptions(), TimeProvider.System, NullLogger<ScalerRuntime>.Instance);
        backend.SlotLost += lost.SetResult;
        var first = await runtime.AssignAsync(Function, new RequestId("r1"), null, CancellationToken.None);
        runtime.Release(Function.Key, new RequestId("r1"), first.Instance, default);

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => GetAsync(first.Address!, "exit"));
        await lost.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await Eventually.HoldsAsync(() => runtime.GetInventory().Count == 0);
        var second = await runtime.AssignAsync(Function, new RequestId("r2"), null, CancellationToken.None);

        Assert.Equal(GrantKind.Cold, second.Kind);
        Assert.NotEqual(first.Address, second.Address);
        await GetAsync(second.Address!, "");
    }

    [PythonFact]
    public async Task A_destroyed_instance_is_not_told_of_as_lost()
    {
        await using var backend = Start(PythonServer.Command);
        var lost = 0;
        backend.SlotLost += _ => Interlocked.Increment(ref lost);
        var (slot, _) = await RunAsync(backend, 1);

        await backend.DestroyAsync(new SlotTicket(1), slot, "test", CancellationToken.None);
        await backend.DisposeAsync();

        Assert.Equal(0, lost);
    }

    [Theory]
    [InlineData("exit 0", "exit code 0")]
    [InlineData("exit 0", "must keep running")]
    [InlineData("printf 'first\\nout of \\033[31mluck\\007\\n' >&2; exit 3", "exit code 3 (first out of luck)")]
    [InlineData("echo only this; exit 4", "exit code 4 (only this)")]
    [InlineData("kill -SEGV $$", "exit code 139")]
    public async Task A_process_that_ends_before_it_is_ready_is_said_to_with_its_last_words(string script, string words)
    {
        await using var backend = Start(new ProcessCommand { Command = ["/bin/sh", "-c", script], Start = PythonServer.Command.Start });

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => RunAsync(backend, 1));

        Assert.Equal(FailureKind.Transient, e.Failure.Kind);
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
    }

    [Fact]
    public async Task What_a_process_prints_is_kept_only_in_part()
    {
        // 40 MB without one line end.
        await using var backend = Start(new ProcessCommand
        {
            Command = ["/bin/sh", "-c", "head -c 40000000 /dev/zero | tr '\\0' x >&2; printf the-end >&2; exit 1"],
            Start = PythonServer.Command.Start,
        });

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => RunAsync(backend, 1));

        Assert.EndsWith("xthe-end)", e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 100, 3000);
    }

    [PythonFact]
    public async Task A_health_answer_that_never_ends_is_not_read_to_its_end()
    {
        await using var backend = Start(PythonServer.Running("""
            import http.server, os
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(503); self.end_headers()
                    try:
                        while True: self.wfile.write(b'not \x1b[31mready ' * 1000)
                    except OSError: pass
                def log_message(self, *arguments): pass
            http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
            """) with { Start = PythonServer.Command.Start with { HealthPath = "/health", Timeout = TimeSpan.FromSeconds(3) } });

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => RunAsync(backend, 1));

        Assert.Contains("503 not ready not ready", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(e.Message, char.IsControl);
        Assert.InRange(e.Message.Length, 100, 1000);
    }

    [PythonFact]
    public async Task The_scaler_is_not_led_elsewhere_by_a_health_answer()
    {
        using var elsewhere = new TcpListener(IPAddress.Loopback, 0);
        elsewhere.Start();
        await using var backend = Start(PythonServer.Running($$"""
            import http.server, os
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(302); self.send_header('Location', 'http://127.0.0.1:{{((IPEndPoint)elsewhere.LocalEndpoint).Port}}/'); self.end_headers()
                def log_message(self, *arguments): pass
            http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
            """) with { Start = PythonServer.Command.Start with { HealthPath = "/health", Timeout = TimeSpan.FromSeconds(3) } });

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => RunAsync(backend, 1));

        Assert.Contains("302", e.Message, StringComparison.Ordinal);
        Assert.False(elsewhere.Pending());
    }

    [Theory]
    [InlineData(24, FailureKind.Transient)] // EMFILE
    [InlineData(23, FailureKind.Transient)] // ENFILE
    [InlineData(12, FailureKind.Transient)] // ENOMEM
    [InlineData(11, FailureKind.Transient)] // EAGAIN
    [InlineData(26, FailureKind.Transient)] // ETXTBSY
    [InlineData(2, FailureKind.Permanent)] // ENOENT
    [InlineData(13, FailureKind.Permanent)] // EACCES
    public void Only_what_will_not_be_otherwise_next_time_is_refused_for_good(int errno, FailureKind kind)
    {
        Assert.Equal(kind, ProcessBackend.KindOf(new System.ComponentModel.Win32Exception(errno)));
    }

    [Fact]
    public async Task A_control_group_that_cannot_be_had_is_said_to_where_it_is_asked_for()
    {
        await using var backend = Start(PythonServer.Command, o => o with { Isolation = ProcessIsolation.Cgroup });

        if (Needs.HasGroups)
        {
            await RunAsync(backend, 1);
            return;
        }

        var e = await Assert.ThrowsAsync<SlotBackendException>(() => RunAsync(backend, 1));
        Assert.Equal(FailureKind.Permanent, e.Failure.Kind);
        Assert.Contains("there are no control groups to be had", e.Message, StringComparison.Ordinal);
    }

    private static ProcessBackend Start(ProcessCommand command, Func<ProcessOptions, ProcessOptions>? change = null)
    {
        var options = new ProcessOptions { Functions = new Dictionary<string, ProcessCommand> { ["f"] = command } };
        return new ProcessBackend(change?.Invoke(options) ?? options, TimeProvider.System);
    }

    private static async Task<(BackendSlotId Slot, Uri Address)> RunAsync(ProcessBackend backend, long ticket)
    {
        var slot = await backend.CreateAsync(new SlotTicket(ticket), Function, CancellationToken.None);
        return (slot, (await backend.InitAsync(slot, new InstanceId($"i-{ticket}"), Function, CancellationToken.None))!);
    }

    private static async Task<string> GetAsync(Uri address, string path)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri(address, path));
    }

    private static async Task<(int Instance, List<int> Daemons)> DaemonsAsync(Uri address, string path)
    {
        using var answer = JsonDocument.Parse(await GetAsync(address, path));
        return (
            answer.RootElement.GetProperty("pid").GetInt32(),
            [.. answer.RootElement.GetProperty("daemons").EnumerateArray().Select(d => d.GetInt32())]);
    }

    private static bool Runs(int process) => ProcessTable.Find(process) is not null;
}
