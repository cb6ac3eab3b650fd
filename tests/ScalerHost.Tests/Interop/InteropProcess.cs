using System.Diagnostics;
using System.Reflection;
using System.Text;
using FuncScaler.Contract;
using Grpc.Health.V1;
using Grpc.Reflection.V1Alpha;

namespace FuncScaler.Tests.Interop;

/// <summary>A process of another language. It ends with this object at the latest; the scripts end themselves with their stdin.</summary>
internal sealed class InteropProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private InteropProcess(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.AppendLine(line.Data);
            }
        };
        process.Start();
        process.BeginErrorReadLine();
    }

    public static string Directory { get; } = typeof(InteropProcess).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == "InteropDirectory").Value!;

    public static InteropProcess Node(string script, params string[] arguments) =>
        new(NewProcess("node", [script, .. arguments]));

    public static InteropProcess Python(params string[] arguments)
    {
        var python = new InteropProcess(NewProcess(InteropRuntimes.Python, ["interop.py", .. arguments]));
        foreach (var file in new[] { ScalerReflection.Descriptor, HealthReflection.Descriptor, ReflectionReflection.Descriptor })
        {
            python._process.StandardInput.WriteLine(Convert.ToBase64String(file.SerializedData.Span));
        }

        python._process.StandardInput.Flush();
        return python;
    }

    /// <summary>The next line that the process prints.</summary>
    public async Task<string> ReadLineAsync() =>
        await _process.StandardOutput.ReadLineAsync() is { } line
            ? line
            : throw new InvalidOperationException($"The process ended without an answer. {await ErrorsAsync()}");

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>The first line of what a program prints; null where it cannot be started or fails.</summary>
    public static string? FirstLineOf(string file, params string[] arguments)
    {
        try
        {
            using Process process = NewProcess(file, arguments);
            process.Start();
            process.StandardInput.Close();
            string? line = process.StandardOutput.ReadLine();
            process.WaitForExit();
            return process.ExitCode == 0 ? line : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private async Task<string> ErrorsAsync()
    {
        await _process.WaitForExitAsync();
        lock (_errors)
        {
            return _errors.ToString();
        }
    }

    private static Process NewProcess(string file, string[] arguments) => new()
    {
        StartInfo = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = Directory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            Environment = { ["PYTHONIOENCODING"] = "utf-8" },
        },
    };
}

/// <summary>What of the other languages this machine has.</summary>
internal static class InteropRuntimes
{
    // The system's Python, by path: a Python of somebody's own rarely has the system's packages.
    public const string Python = "/usr/bin/python3";

    public static string? WhyNoNode { get; } =
        InteropProcess.FirstLineOf("node", "--version") is null ? "node is not installed"
        : !System.IO.Directory.Exists(Path.Combine(InteropProcess.Directory, "node_modules", "@grpc", "grpc-js"))
            || !System.IO.Directory.Exists(Path.Combine(InteropProcess.Directory, "node_modules", "hyparquet"))
            ? "@grpc/grpc-js or hyparquet is not installed: run `npm ci` in tests/interop"
        : null;

    public static string? WhyNoPython { get; } =
        InteropProcess.FirstLineOf(Python, "-c", "import grpc, google.protobuf; print(grpc.__version__)") is null
            ? $"{Python} has no grpc and google.protobuf: install python3-grpcio and python3-protobuf"
            : null;
}

public sealed class NodeFactAttribute : FactAttribute
{
    public NodeFactAttribute() => Skip = InteropRuntimes.WhyNoNode;
}

public sealed class GrpcioFactAttribute : FactAttribute
{
    public GrpcioFactAttribute() => Skip = InteropRuntimes.WhyNoPython;
}
