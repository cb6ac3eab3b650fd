using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Aci;
using FuncScaler.Tests.Backends;
using FuncScaler.Tests.FakeArm;

namespace FuncScaler.Tests.Aci;

/// <summary>The ACI backend on the fake, both on a clock that moves from timer to timer whenever the backend waits.</summary>
internal sealed class AciWorld : IAsyncDisposable
{
    private AciWorld(FakeArmServer fake, TimeProvider time)
    {
        Fake = fake;
        Time = time;
    }

    public static FunctionMeta Function { get; } = new(new MetaKey("f"), "go", 60, 512);

    public FakeArmServer Fake { get; }

    public TimeProvider Time { get; }

    public AciBackend Backend { get; private set; } = null!;

    public AciOptions Options { get; private set; } = null!;

    public static async Task<AciWorld> StartAsync(Func<AciOptions, AciOptions>? change = null, TimeProvider? time = null)
    {
        time ??= new ManualTimeProvider();
        var world = new AciWorld(await FakeArmServer.StartAsync(time), time);
        world.Options = AciHarness.OptionsFor(world.Fake) with
        {
            MaxRetries = 2,
            RetryDelay = TimeSpan.FromMilliseconds(100),
            Randomizer = () => 0.5,
            PollDelay = TimeSpan.FromSeconds(1),
        };
        world.Options = change?.Invoke(world.Options) ?? world.Options;
        world.Backend = world.NewRun();
        return world;
    }

    /// <summary>The backend as a scaler begins it after a restart.</summary>
    public AciBackend NewRun() => new(new ArmConnection { Endpoint = Fake.Address }, Options, Time);

    /// <summary>Waits for a call, letting time pass whenever it waits for that.</summary>
    public async Task<T> DriveAsync<T>(Task<T> call)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!call.IsCompleted)
        {
            limit.Token.ThrowIfCancellationRequested();
            if (Time is not ManualTimeProvider manual || !manual.AdvanceToNextTimer(TimeSpan.FromDays(1)))
            {
                await Task.WhenAny(call, Task.Delay(1));
            }
        }

        return await call;
    }

    public Task<BackendSlotId> CreateAsync(long ticket, FunctionMeta? function = null) =>
        DriveAsync(Backend.CreateAsync(new SlotTicket(ticket), function ?? Function, CancellationToken.None));

    public Task<bool> DestroyAsync(long ticket, BackendSlotId slot = default) =>
        DriveAsync(Backend.DestroyAsync(new SlotTicket(ticket), slot, "test", CancellationToken.None));

    public async Task<SlotFailure> CreateFailsAsync(long ticket, FunctionMeta? function = null) =>
        (await Assert.ThrowsAsync<SlotBackendException>(() => CreateAsync(ticket, function))).Failure;

    public async Task<IReadOnlyList<ListedSlot>> ListAsync(params SlotSnapshot[] known) =>
        (await DriveAsync(Backend.ListAsync(known, CancellationToken.None)))!;

    public static SlotSnapshot Known(long ticket, BackendSlotId slot, SlotState state = SlotState.Idle) =>
        new(new SlotTicket(ticket), state, slot, new InstanceId($"i-{ticket}"), default, 512);

    public async ValueTask DisposeAsync()
    {
        await Backend.DisposeAsync();
        await Fake.DisposeAsync();
    }
}
