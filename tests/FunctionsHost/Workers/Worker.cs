using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using FuncScaler.FunctionsHost.Protocol;
using Grpc.Core;
using RpcException = Grpc.Core.RpcException;

namespace FuncScaler.FunctionsHost.Workers;

/// <summary>A worker process and the conversation with it.</summary>
internal sealed class Worker : IAsyncDisposable
{
    private readonly Process _process;
    private readonly AppFolder _app;
    private readonly Action<string> _log;
    private readonly Channel<StreamingMessage> _outbound = Channel.CreateUnbounded<StreamingMessage>();
    private readonly ConcurrentDictionary<string, TaskCompletionSource<TypedData?>> _running = new();
    private readonly ConcurrentDictionary<string, bool> _cancelled = new();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _toLoad;
    private string? _firstError;

    private Worker(string id, Process process, AppFolder app, Action<string> log)
    {
        Id = id;
        _process = process;
        _app = app;
        _log = log;
    }

    public string Id { get; }

    public int ProcessId => _process.Id;

    /// <summary>Completes once every function is loaded; fails when the worker ends before.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Completes when the process has ended, however.</summary>
    public Task Ended => _ended.Task;

    public int? ExitCode => _ended.Task.IsCompleted ? _process.ExitCode : null;

    /// <summary>Where the worker takes HTTP requests.</summary>
    public Uri? HttpUri { get; private set; }

    /// <summary>What the worker said it can do.</summary>
    public IReadOnlyDictionary<string, string> Capabilities { get; private set; } = new Dictionary<string, string>();

    /// <summary>The functions as the worker itself lists them.</summary>
    public IReadOnlyDictionary<string, RpcFunctionMetadata> Functions { get; private set; } = new Dictionary<string, RpcFunctionMetadata>();

    /// <summary>Invocations that have not been answered.</summary>
    public int Running => _running.Count;

    /// <summary>Whether an invocation goes on although it was cancelled.</summary>
    public bool Stuck => _cancelled.Keys.Any(_running.ContainsKey);

    public static Worker Start(AppFolder app, Uri rpc, IReadOnlyDictionary<string, string> settings, Action<string> log)
    {
        var id = Guid.NewGuid().ToString();
        var start = new ProcessStartInfo(app.Executable)
        {
            WorkingDirectory = app.Path,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        string[] arguments =
        [
            app.Entry,
            "--host", rpc.Host, "--port", $"{rpc.Port}", "--workerId", id, "--requestId", id, "--grpcMaxMessageLength", $"{int.MaxValue}",
            "--functions-uri", rpc.AbsoluteUri, "--functions-worker-id", id, "--functions-request-id", id,
            "--functions-grpc-max-message-length", $"{int.MaxValue}",
        ];
        Array.ForEach(arguments, start.ArgumentList.Add);
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        start.Environment["FUNCTIONS_WORKER_RUNTIME"] = "dotnet-isolated";
        start.Environment["FUNCTIONS_APPLICATION_DIRECTORY"] = app.Path;
        start.Environment["FUNCTIONS_WORKER_DIRECTORY"] = app.Path;
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var worker = new Worker(id, process, app, log);
        process.OutputDataReceived += (_, line) => worker.Log(line.Data);
        process.ErrorDataReceived += (_, line) =>
        {
            worker._firstError ??= line.Data;
            worker.Log(line.Data);
        };
        process.Exited += (_, _) => worker.End();
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return worker;
    }

    /// <summary>The conversation, from the worker's second message on.</summary>
    public async Task TalkAsync(IAsyncStreamReader<StreamingMessage> hears, IServerStreamWriter<StreamingMessage> says, CancellationToken cancellationToken)
    {
        Say(new StreamingMessage
        {
            WorkerInitRequest = new WorkerInitRequest { HostVersion = "4.0.0", WorkerDirectory = _app.Path, FunctionAppDirectory = _app.Path },
        });
        var saying = SayAsync(says, cancellationToken);
        try
        {
            await foreach (var message in hears.ReadAllAsync(cancellationToken))
            {
                Hear(message);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or RpcException)
        {
            // The worker has gone; its process tells.
        }

        _outbound.Writer.TryComplete();
        await saying;
    }

    /// <summary>Runs a function and gives its return value; fails as the function does, or when the worker ends.</summary>
    public async Task<TypedData?> InvokeAsync(string invocation, string function, IEnumerable<ParameterBinding> inputs, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<TypedData?>(TaskCreationOptions.RunContinuationsAsynchronously);
        _running[invocation] = answer;
        using var cancel = cancellationToken.Register(() => Cancel(invocation));
        var request = new InvocationRequest
        {
            InvocationId = invocation,
            FunctionId = Functions.Values.First(f => f.Name == function).FunctionId,
            TraceContext = new RpcTraceContext { TraceParent = Activity.Current?.Id ?? "", TraceState = Activity.Current?.TraceStateString ?? "" },
            RetryContext = new RetryContext(),
        };
        request.InputData.AddRange(inputs);
        Say(new StreamingMessage { InvocationRequest = request });
        if (_ended.Task.IsCompleted)
        {
            FailRunning();
        }

        return await answer.Task;
    }

    /// <summary>Ends the process as a crash would.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Asks the worker to stop, and kills it when it does not within the grace period.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        Say(new StreamingMessage
        {
            WorkerTerminate = new WorkerTerminate { GracePeriod = new WorkerTerminate.Types.Duration { Seconds = (long)grace.TotalSeconds } },
        });
        if (await Task.WhenAny(Ended, Task.Delay(grace)) != Ended)
        {
            _log($"worker {ProcessId}: did not stop within {grace.TotalSeconds} s, killed");
            Kill();
            await Ended;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        await Ended;
        _process.Dispose();
    }

    private void Cancel(string invocation)
    {
        _cancelled.TryAdd(invocation, true);
        Say(new StreamingMessage { InvocationCancel = new InvocationCancel { InvocationId = invocation } });
    }

    private void Hear(StreamingMessage message)
    {
        switch (message.ContentCase)
        {
            case StreamingMessage.ContentOneofCase.WorkerInitResponse:
                Capabilities = new Dictionary<string, string>(message.WorkerInitResponse.Capabilities);
                HttpUri = Capabilities.TryGetValue("HttpUri", out var uri) ? new Uri(uri) : null;
                Say(new StreamingMessage { FunctionsMetadataRequest = new FunctionsMetadataRequest { FunctionAppDirectory = _app.Path } });
                break;
            case StreamingMessage.ContentOneofCase.FunctionMetadataResponse:
                Load(message.FunctionMetadataResponse);
                break;
            case StreamingMessage.ContentOneofCase.FunctionLoadResponse:
                var loaded = message.FunctionLoadResponse;
                if (loaded.Result.Status != StatusResult.Types.Status.Success)
                {
                    _ready.TrySetException(new InvalidOperationException($"{loaded.FunctionId} was not loaded: {loaded.Result.Exception?.Message}"));
                }
                else if (Interlocked.Decrement(ref _toLoad) == 0)
                {
                    _ready.TrySetResult();
                }

                break;
            case StreamingMessage.ContentOneofCase.InvocationResponse:
                Answer(message.InvocationResponse);
                break;
            case StreamingMessage.ContentOneofCase.RpcLog when message.RpcLog.Level >= RpcLog.Types.Level.Warning:
                Log($"{message.RpcLog.Level} {message.RpcLog.Category}: {message.RpcLog.Message} {message.RpcLog.Exception?.Message}");
                break;
            default:
                break;
        }
    }

    private void Load(FunctionMetadataResponse response)
    {
        foreach (var function in response.FunctionMetadataResults)
        {
            function.FunctionId = function.FunctionId.Length > 0 ? function.FunctionId : function.Name;
            foreach (var binding in function.RawBindings.Select(b => JsonNode.Parse(b)!))
            {
                function.Bindings[(string)binding["name"]!] = new BindingInfo
                {
                    Type = (string)binding["type"]!,
                    Direction = Enum.Parse<BindingInfo.Types.Direction>((string)binding["direction"]!, ignoreCase: true),
                };
            }
        }

        Functions = response.FunctionMetadataResults.ToDictionary(f => f.FunctionId);
        _toLoad = Functions.Count;
        foreach (var function in Functions.Values)
        {
            Say(new StreamingMessage { FunctionLoadRequest = new FunctionLoadRequest { FunctionId = function.FunctionId, Metadata = function } });
        }
    }

    private void Answer(InvocationResponse response)
    {
        if (!_running.TryRemove(response.InvocationId, out var running))
        {
            return;
        }

        if (response.Result.Status == StatusResult.Types.Status.Success)
        {
            running.TrySetResult(response.ReturnValue);
        }
        else
        {
            // As the host words it: the Durable extension reads the parts.
            var exception = response.Result.Exception;
            running.TrySetException(new FunctionFailedException(
                $"Result: {response.Result.Status}\nException: {exception?.Message}\nStack: {exception?.StackTrace}"));
        }
    }

    private async Task SayAsync(IServerStreamWriter<StreamingMessage> says, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var message in _outbound.Reader.ReadAllAsync(cancellationToken))
            {
                await says.WriteAsync(message, CancellationToken.None);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException or RpcException)
        {
            // Nobody hears any more.
        }
    }

    private void Say(StreamingMessage message) => _outbound.Writer.TryWrite(message);

    private void End()
    {
        Log($"has ended with {_process.ExitCode}");
        _ended.TrySetResult();
        _ready.TrySetException(new WorkerProcessExitException($"The worker has ended with {_process.ExitCode} before it was ready. {_firstError}"));
        _ = _ready.Task.Exception;
        FailRunning();
    }

    private void FailRunning()
    {
        foreach (var (invocation, running) in _running)
        {
            running.TrySetException(new WorkerProcessExitException($"The worker {ProcessId} has ended while {invocation} ran."));
            _running.TryRemove(invocation, out _);
        }
    }

    private void Log(string? line)
    {
        if (!string.IsNullOrEmpty(line))
        {
            _log($"worker {ProcessId}: {line}");
        }
    }
}
