// Replays beats from files into an array and compares its results with golden ones.
// `rtl.harness` adds module `harness`, which instantiates these for the array's streams.
//
// Directory (plusarg +vectors=DIR, default "."): one file per stream, all jobs one after
// another, and jobs.hex, one line per job and a line of zeros at the end.

// One stream's input. A beat waits a random time before it is offered, and stays offered
// until it is taken. The payload is wrong on purpose while it is not offered.
module stream_source #(parameter WIDTH = 1, parameter DEPTH = 1, parameter NAME = "") (
    input clk, input rst, input start, input running,
    input [31:0] stop, input [7:0] stall, input [31:0] seed,
    output [WIDTH-1:0] payload, output valid, input ready,
    output exhausted
);
    reg [WIDTH-1:0] beats [0:DEPTH-1];
    reg [31:0] next;
    reg waiting;
    wire [31:0] noise;
    reg [8*1024-1:0] directory;

    initial begin
        if (!$value$plusargs("vectors=%s", directory)) directory = ".";
        $readmemh({directory, "/", NAME, ".hex"}, beats);
    end

    noise_source noise_i (.clk(clk), .start(start), .seed(seed), .noise(noise));

    assign exhausted = next == stop;
    assign valid = running && !exhausted && (waiting || noise[15:8] >= stall);
    assign payload = valid ? beats[next] : ~beats[next];

    always @(posedge clk) begin
        waiting <= valid && !ready;
        if (valid && ready) next <= next + 1;
        if (rst) begin
            next <= 0;
            waiting <= 0;
        end
    end
endmodule

// The results: counts beats that differ from the golden file and broken stream rules.
module stream_sink #(parameter WIDTH = 1, parameter DEPTH = 1, parameter NAME = "") (
    input clk, input rst, input start, input running,
    input [31:0] stop, input [7:0] stall, input [31:0] seed,
    input [WIDTH-1:0] payload, input valid, output ready,
    input exhausted,            // all inputs of the job were taken
    output finishing,
    output reg [31:0] mismatches, output reg [31:0] first_mismatch, output reg [31:0] violations
);
    reg [WIDTH-1:0] beats [0:DEPTH-1];
    reg [31:0] next;
    reg waiting;
    reg [WIDTH-1:0] offered;
    wire [31:0] noise;
    reg [8*1024-1:0] directory;

    initial begin
        if (!$value$plusargs("vectors=%s", directory)) directory = ".";
        $readmemh({directory, "/", NAME, ".hex"}, beats);
    end

    noise_source noise_i (.clk(clk), .start(start), .seed(seed), .noise(noise));

    wire expected = running && next != stop;
    wire dropped = waiting && !valid;
    wire changed = waiting && valid && payload !== offered;
    wire surplus = valid && !expected;
    wire early = finishing && !exhausted;

    assign ready = expected && noise[15:8] >= stall;
    assign finishing = valid && ready && next + 1 == stop;

    always @(posedge clk) begin
        waiting <= valid && !ready;
        offered <= payload;
        if (dropped || changed || surplus || early) violations <= violations + 1;
        if (valid && ready) begin
            next <= next + 1;
            if (payload !== beats[next]) begin
                if (mismatches == 0) first_mismatch <= next;
                mismatches <= mismatches + 1;
            end
        end
        if (start || rst) begin
            mismatches <= 0;
            first_mismatch <= 0;
            violations <= 0;
        end
        if (rst) begin
            next <= 0;
            waiting <= 0;
        end
    end
endmodule

// Pseudo-random numbers (xorshift32), restarted with each job.
module noise_source (input clk, input start, input [31:0] seed, output reg [31:0] noise);
    wire [31:0] a = noise ^ (noise << 13);
    wire [31:0] b = a ^ (a >> 17);
    always @(posedge clk) noise <= start ? (seed | 1) : b ^ (b << 5);
endmodule

// Runs the jobs one by one. Between two of them the array runs empty for GAP cycles, during
// which a result is a broken rule. Gives up when nothing moves for PATIENCE cycles.
module job_control #(
    parameter STREAMS = 1, parameter JOBS = 1, parameter GAP = 16, parameter PATIENCE = 4096
) (
    input clk, input rst,
    input accepted,             // an input beat is transferred at this edge
    input moved,                // any beat is transferred at this edge
    input finishing,            // the job's last result is transferred at this edge
    output start, output running,
    output [32*STREAMS-1:0] stops,  // per stream: beats of all jobs up to this one
    output [7:0] stall,         // of 256: how often a stream waits
    output [31:0] seed,
    output reg [31:0] cycles,   // first accepted to last result, both edges included
    output reg [31:0] jobs_done,
    output reg hung,
    output finished
);
    localparam WIDTH = 32 * STREAMS + 8 + 32;
    reg [WIDTH-1:0] jobs [0:JOBS-1];
    reg [31:0] state;           // 0: running; else cycles until the next job starts
    reg counting;
    reg [31:0] idle;
    reg [8*1024-1:0] directory;

    initial begin
        if (!$value$plusargs("vectors=%s", directory)) directory = ".";
        $readmemh({directory, "/jobs.hex"}, jobs);
    end

    wire [WIDTH-1:0] job = jobs[jobs_done];
    assign {seed, stall, stops} = job;
    assign finished = hung || (state == GAP && job == 0);
    assign start = state == 1 && !finished;
    assign running = state == 0 && !hung;

    always @(posedge clk) begin
        if (running) begin
            if (counting || accepted) cycles <= cycles + 1;
            if (accepted) counting <= 1;
            idle <= moved ? 0 : idle + 1;
            if (idle == PATIENCE) hung <= 1;
            if (finishing) begin
                state <= 2 * GAP;
                counting <= 0;
            end
        end else if (!finished) begin
            state <= state - 1;
            if (state == GAP + 1) jobs_done <= jobs_done + 1;
            if (start) cycles <= 0;
        end
        if (rst) begin
            state <= GAP;
            jobs_done <= 0;
            hung <= 0;
            counting <= 0;
            idle <= 0;
        end
    end
endmodule
