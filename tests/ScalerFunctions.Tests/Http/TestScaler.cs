using FuncScaler.Policies;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Service;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.Logging.Abstractions;

namespace FuncScaler.Tests;

/// <summary>A scaler with a backend that answers at once.</summary>
internal sealed class TestScaler : IAsyncDisposable
{
    public TestScaler()
    {
        Time = new ManualTimeProvider();
        Runtime = new ScalerRuntime(
            new FakeBackend(Time), PolicyCatalog.Parse("ttl:300"), new ScalerRuntimeOptions(), Time, NullLogger<ScalerRuntime>.Instance);
        Service = new ScalerService(Runtime);
    }

    public ManualTimeProvider Time { get; }

    public ScalerRuntime Runtime { get; }

    public ScalerService Service { get; }

    public ValueTask DisposeAsync() => Runtime.DisposeAsync();
}
