using System.Net;
using System.Net.Sockets;
using FuncScaler.Runtime;
using FuncScaler.Runtime.Leasing;
using FuncScaler.ScalerFunctions.Hosting;
using FuncScaler.SlotBackends;
using FuncScaler.SlotBackends.Fake;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncScaler.Tests;

/// <summary>A worker's start and end, with the services as the app composes them.</summary>
public sealed class WorkerLifeTests
{
    [Fact]
    public async Task A_worker_starts_stops_and_is_disposed_of_without_an_error()
    {
        using var host = BuildHost();

        await host.StartAsync();
        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    [Fact]
    public async Task One_worker_serves_under_both_of_its_services_and_is_disposed_of_once()
    {
        using var host = BuildHost();

        Assert.Same(host.Services.GetRequiredService<WorkerRuntime>(), host.Services.GetRequiredService<IScaler>());

        await ((IAsyncDisposable)host).DisposeAsync();
    }

    [Fact]
    public async Task A_start_on_a_taken_port_ends_in_the_sentence_that_says_so()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;

        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => BuildHost(("Scaler:Grpc:Port", $"{port}")).RunAsync());

        Assert.Contains($"cannot listen on 127.0.0.1:{port}", e.Message, StringComparison.Ordinal);
        Assert.Contains("set Scaler:Grpc:Port to a free port", e.Message, StringComparison.Ordinal);
    }

    private static IHost BuildHost(params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["Scaler:DrainTimeout"] = "00:00:00";
        foreach (var (key, value) in settings)
        {
            builder.Configuration[key] = value;
        }

        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<ISlotBackend>(new FakeBackend(TimeProvider.System));
        builder.Services.AddScalerApp();
        return builder.Build();
    }
}
