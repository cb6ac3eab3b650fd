using FuncScaler.Leasing.Ledger;
using FuncScaler.Leasing.Messages;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Limits;
using FuncScaler.ScalerFunctions.Durable;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.ScalerFunctions.Worker;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FuncScaler.Tests;

/// <summary>The operator's limits in the app: what of them the functions' ledgers keep.</summary>
public sealed class AppLimitsTests : IDisposable
{
    private static readonly FunctionMeta F = new(new MetaKey("f"), "go", 60, 128);

    private readonly ManualTimeProvider _time = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("funcscaler-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_floor_is_created_before_the_first_request_and_kept_while_the_limits_say_so()
    {
        using var limits = Limits("""{"functions": {"f": {"min": 2}}}""");
        var pool = new EntityDriver("ttl:1", time: _time, limits: limits);

        await pool.CallAsync("LimitsChanged", new LimitsNews(F));

        Assert.Equal(["ProvisionSlot", "ProvisionSlot"], pool.Started.Select(s => s.Name));
    }

    [Fact]
    public async Task A_schedule_raises_the_floor_for_its_time()
    {
        // The clock stands at midnight.
        using var limits = Limits("""{"functions": {"f": {"schedules": [{"cron": "0 8 * * *", "min": 1, "duration": "01:00:00"}]}}}""");
        var pool = new EntityDriver("ttl:1", time: _time, limits: limits);
        await pool.CallAsync("LimitsChanged", new LimitsNews(F));
        Assert.Empty(pool.Started);

        _time.Advance(TimeSpan.FromHours(8.5));
        await pool.CallAsync("LimitsChanged", new LimitsNews(F));

        Assert.Single(pool.Started);
    }

    [Fact]
    public async Task A_ceiling_is_of_all_workers_together()
    {
        using var limits = Limits("""{"functions": {"f": {"max": 1}}}""");
        var pool = new EntityDriver(time: _time, limits: limits);
        await pool.ReportAsync(Intends("w1", 7));
        await pool.ReportAsync(Intends("w2", 8));
        await pool.ReportAsync(Intends("w2", 9) with { Sequence = 2 });

        Assert.Equal([7L], pool.State.Slots.Keys);
        Assert.Empty(PoolLedger.ViewFor(pool.State, new WorkerId("w2")).Tickets);
    }

    [Fact]
    public void A_file_is_read_anew_and_those_that_it_does_not_name_have_the_limits_of_the_others()
    {
        var file = Path.Combine(_folder.FullName, "limits.json");
        File.WriteAllText(file, """{"functions": {"f": {"min": 1}}, "others": {"concurrency": 3}}""");
        using var limits = new AppLimits(Options.Create(new ScalerAppOptions { LimitsFile = file }), _time, NullLogger<AppLimits>.Instance);
        Assert.Equal((1, null), (limits.Of(F.Key).MinInstances, limits.Of(F.Key).Concurrency));
        Assert.Equal(3, limits.Of(new MetaKey("g")).Concurrency);

        using var watch = new LimitsWatch(file, _time);
        watch.Start((_, _, _) => { }, _ => { }, NullLogger.Instance);
        File.WriteAllText(file, """{"functions": {"f": {"min": 5}}}""");
        _time.Advance(FileWatch.Interval);

        Assert.Equal(5, watch.Plan.At(F.Key, _time.GetUtcNow()).MinInstances);
    }

    [Fact]
    public void A_function_that_is_named_has_nothing_of_the_others_even_without_limits_of_its_own()
    {
        using var limits = Limits("""{"functions": {"f": {}}, "others": {"min": 3}}""");
        Assert.Equal((FunctionLimits.None, 3), (limits.Of(F.Key), limits.Of(new MetaKey("g")).MinInstances));
    }

    private static WorkerReport Intends(string worker, long ticket) => new()
    {
        Worker = new WorkerId(worker),
        Sequence = 1,
        Function = F,
        FirstOperation = ticket,
        Operations = [new WorkerOperation { Kind = WorkerOperationKind.Intend, Ticket = new SlotTicket(ticket), MemoryMb = 128, Runtime = "go" }],
    };

    private AppLimits Limits(string json) =>
        new(Options.Create(new ScalerAppOptions { Limits = json }), _time, NullLogger<AppLimits>.Instance);
}
