using System.Runtime.ExceptionServices;
using FuncScaler.FunctionsHost.Protocol;
using FuncScaler.FunctionsHost.Workers;
using Microsoft.Azure.WebJobs;
using Microsoft.Azure.WebJobs.Extensions.DurableTask;
using Microsoft.Azure.WebJobs.Host;
using Microsoft.Azure.WebJobs.Host.Config;
using Microsoft.Azure.WebJobs.Host.Timers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Newtonsoft.Json;

namespace FuncScaler.FunctionsHost.Durable;

/// <summary>
/// The Durable extension itself, in the WebJobs SDK as in the Functions host, with the app's own <c>host.json</c>: its dispatchers run the
/// app's functions in the workers, and its local gRPC endpoint serves the workers' clients.
/// </summary>
internal sealed class DurableJobHost : IAsyncDisposable
{
    private readonly IHost _host;

    private DurableJobHost(IHost host) => _host = host;

    public static async Task<DurableJobHost> StartAsync(
        AppFolder app, HostOptions options, Uri url, WorkerPool workers, FunctionInvoker invoker, CancellationToken cancellationToken)
    {
        var functions = DispatchedFunctions.MakeClass(app.Functions);
        var host = new HostBuilder()
            .ConfigureLogging(logging => logging.AddProvider(new LineLoggerProvider(options.Log)).SetMinimumLevel(LogLevel.Warning)
                .AddFilter("Host.Results", LogLevel.None))
            .ConfigureWebJobs(jobs => jobs.AddDurableTask())
            .ConfigureAppConfiguration(configuration => configuration.AddInMemoryCollection(Settings(app, options)))
            .ConfigureServices(services =>
            {
                services.AddSingleton<ITypeLocator>(new Types(functions, typeof(ClientFunction)));
                services.AddSingleton<IFunctionCalls>(new Calls(app, invoker));
#pragma warning disable CS0618 // The extension asks for one; the Functions host has the only other.
                services.AddSingleton<IWebHookProvider>(new WebHooks(url));
#pragma warning restore CS0618
                services.AddSingleton<IWebJobsExceptionHandler>(new Exceptions(workers, options.Log));
                services.Configure<JobHostFunctionTimeoutOptions>(timeout =>
                {
                    timeout.Timeout = options.FunctionTimeout ?? app.FunctionTimeout ?? TimeSpan.Zero;
                    timeout.ThrowOnTimeout = true;
                });
            })
            .Build();
        await host.StartAsync(cancellationToken);
        var told = new List<string>();
        await host.Services.GetRequiredService<IJobHost>().CallAsync(
            nameof(ClientFunction.Tell), new Dictionary<string, object> { ["into"] = told }, cancellationToken);
        invoker.Connect(told[0]);
        return new DurableJobHost(host);
    }

    /// <summary>Stops in order: what runs is left to end.</summary>
    public Task StopAsync() => _host.StopAsync();

    public ValueTask DisposeAsync()
    {
        _host.Dispose();
        return ValueTask.CompletedTask;
    }

    private static Dictionary<string, string?> Settings(AppFolder app, HostOptions options)
    {
        var settings = new Dictionary<string, string?>(app.Flatten("extensions:durableTask", "AzureWebJobs:extensions:durableTask"))
        {
            ["AzureWebJobsStorage"] = options.Storage,
            ["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated",

            // Where set, the extension believes that it runs in Azure, and prints its events.
            ["CONTAINER_NAME"] = "",
        };
        if (options.Hub is { } hub)
        {
            settings["AzureWebJobs:extensions:durableTask:hubName"] = hub;
        }

        return settings;
    }

    /// <summary>Has the client's binding made, which every function that asks for it gets.</summary>
    private static class ClientFunction
    {
        [NoAutomaticTrigger]
        [FunctionName(nameof(Tell))]
#pragma warning disable DF0203 // Text is what the Functions host binds a worker's client to.
        public static void Tell([DurableClient] string client, List<string> into) => into.Add(client);
#pragma warning restore DF0203
    }

    private sealed class Types(params Type[] types) : ITypeLocator
    {
        public IReadOnlyList<Type> GetTypes() => types;
    }

#pragma warning disable CS0618
    private sealed class WebHooks(Uri url) : IWebHookProvider
    {
        public Uri GetUrl(IExtensionConfigProvider extension) => new(url, "runtime/webhooks/durabletask?code=none");
    }
#pragma warning restore CS0618

    private sealed class Calls(AppFolder app, FunctionInvoker invoker) : IFunctionCalls
    {
        public async Task<object?> CallAsync(string function, string trigger, CancellationToken cancellationToken)
        {
            var result = await invoker.InvokeAsync(app.Function(function), new TypedData { String = trigger }, cancellationToken);
            return result?.DataCase switch
            {
                TypedData.DataOneofCase.String => result.String,
                TypedData.DataOneofCase.Json => JsonConvert.DeserializeObject(result.Json),
                TypedData.DataOneofCase.Int => result.Int,
                TypedData.DataOneofCase.Double => result.Double,
                _ => null,
            };
        }
    }

    /// <summary>As the Functions host: a worker in which an invocation has taken too long is restarted.</summary>
    private sealed class Exceptions(WorkerPool workers, Action<string> log) : IWebJobsExceptionHandler
    {
        public Task OnTimeoutExceptionAsync(ExceptionDispatchInfo exceptionInfo, TimeSpan timeoutGracePeriod)
        {
            log($"host: {exceptionInfo.SourceException.Message}");
            workers.KillStuck();
            return Task.CompletedTask;
        }

        public Task OnUnhandledExceptionAsync(ExceptionDispatchInfo exceptionInfo)
        {
            log($"host: {exceptionInfo.SourceException}");
            return Task.CompletedTask;
        }
    }
}
